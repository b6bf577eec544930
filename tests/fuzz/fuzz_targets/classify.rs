//! See `targets::classify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::classify(bytes));
