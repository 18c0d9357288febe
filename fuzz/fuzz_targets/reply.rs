#![no_main]

#[path = "../../tests/bodies/reply.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
