//! The binary on the real kernel, one fault a file.

mod checkpoint_on_a_full_disk;
mod damaged_files;
mod failing_disk;
mod full_disk;
mod kill;
mod kill_at_a_syscall;
mod pause;
mod power_loss;
mod refused_starts;
mod setting;
