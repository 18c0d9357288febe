//! Hubbub: a chat server for a crowd.
//!
//! One thread, one readiness loop, a line protocol that `nc` speaks. The house has floors; each
//! knows only the ones below it that are named here, and a test (`tests/tidy.rs`) holds it to that.
//!
//! | floor | what it is | knows |
//! | --- | --- | --- |
//! | [`net`] | the only place with sockets, a clock and a poll | all but `client` |
//! | [`client`] | the threaded terminal client | `wire`, `name`, `config` |
//! | [`chat`] | who is here, and what happens | `outbound`, `wire`, `name`, `metrics` |
//! | [`wire`] | bytes to meaning and back | `name` |
//! | [`outbound`] | what is still to be written, and to whom | nothing |
//! | [`capture`] | bytes to packets and back, and files of them | nothing |
//! | [`name`] | what one may be called | nothing |
//! | [`config`] | flags and file become settings, or all their problems | nothing |
//! | [`metrics`] | counters | nothing |
//!
//! Everything below [`net`] is sans-I/O: time is an argument, bytes go in and bytes come out.
//! Start reading at [`net::Server::turn`], or follow one line: [`wire::Framer`],
//! [`wire::Command`], [`chat::Chat::handle_frame`], [`outbound::Outbound::broadcast`],
//! [`outbound::Outbound::batch`].

pub mod capture;
pub mod chat;
pub mod client;
pub mod config;
pub mod metrics;
pub mod name;
pub mod net;
pub mod outbound;
pub mod wire;
