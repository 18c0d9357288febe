pub mod chat;
pub mod metrics;
pub mod name;
pub mod outbound;
pub mod wire;
