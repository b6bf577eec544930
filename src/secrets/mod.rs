//! Secret values: resolved in memory, never stored, and filtered out of every text that leaves the engine.
