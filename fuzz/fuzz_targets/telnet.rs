#![no_main]

#[path = "../../tests/bodies/mod.rs"]
#[allow(dead_code, reason = "the bodies of the other targets")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::telnet::run(data));
