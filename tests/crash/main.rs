//! Ended at any moment, twice at once, told to stop: whatever happens to the process, the next run of the same command
//! reaches the same end, and nobody is asked.
//!
//! `ARRPLAN_SOAK=1 cargo test --profile soak --test crash` runs the full counts; without it each test takes a slice of them.

#[cfg(test)]
mod back;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod end;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod real;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod stage;
