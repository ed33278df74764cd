//! Members of a run whose load threads are in other processes.
//!
//! Owns both ends: what the run's loop sees of such a member ([`Gate`]), and how a process carries
//! out the orders that come to it ([`Worker`]). Between them go orders, news and reports, as plain
//! data and bytes; carrying those, each exactly once and in order, is left to the transport.
//!
//! ```text
//! run's process     Run ─► Member ─► Order ─► Joined ──bytes──►           Worker ─► load threads
//!                   Run ◄─ inbox ◄─ News, Report ◄─ Gate ◄──bytes──       News, Report ◄─ Ledger
//! ```
//!
//! Both processes are the same build, so what is sent needs no form of its own that would outlive
//! it: orders and news are their own fields (postcard), and only reports, of which there are most,
//! have a narrower one (`stats::Encoder`).

mod edition;
mod gate;
mod going;
mod order;
mod said;
mod worker;

pub use edition::{CHANGED, Content, Contents, Held, SentEdition, Unsendable, values_sent};
pub use gate::{Coming, Gate, Joined, Orders, SentEditions, WorkerCard};
pub use going::{Going, HeldPlace, Remembered};
pub use order::{SentOrder, SentStart};
pub use worker::{Happening, Work, Worker};

pub use super::fleet::Levels;
pub use super::load_thread::News;
