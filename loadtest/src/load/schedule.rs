//! When operations begin: one after the other, or at times of their own.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

/// How many operations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// So many.
    Count(u64),
    /// All that begin before this.
    At(Instant),
}

/// The operations of one thread, shared by its workers.
#[derive(Clone, Debug)]
pub(crate) enum Schedule {
    /// A worker begins the next when its last one is over.
    Closed {
        /// Until when.
        end: End,
        /// How many have begun.
        begun: Rc<Cell<u64>>,
    },
    /// Each begins at a time of its own, whatever became of the others.
    Open(Rc<Arrivals>),
}

impl Schedule {
    /// A closed loop.
    pub(crate) fn closed(end: End) -> Self {
        Self::Closed { end, begun: Rc::default() }
    }

    /// Waits for the next operation, and tells when it was meant to begin; nothing when there is no other.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed { end, begun } => {
                let (now, count) = (Instant::now(), begun.get());
                let goes_on = match end {
                    End::Count(count_max) => count < *count_max,
                    End::At(end) => now < *end,
                };
                begun.set(count + u64::from(goes_on));
                goes_on.then_some(now)
            }
            Self::Open(arrivals) => arrivals.next().await,
        }
    }

    /// Operations of a count that have not begun.
    pub(crate) fn left(&self) -> u64 {
        match self {
            Self::Closed { end: End::Count(count), begun } => count.saturating_sub(begun.get()),
            Self::Closed { end: End::At(_), .. } => 0,
            Self::Open(arrivals) => arrivals.due.borrow().len() as u64,
        }
    }
}

/// Operations that are due, in the order of their times, and the workers that wait for one.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    due: RefCell<VecDeque<Instant>>,
    waiting: RefCell<VecDeque<Waker>>,
    is_over: Cell<bool>,
}

impl Arrivals {
    /// One is due. False where so many wait that it is not taken.
    pub(crate) fn arrive(&self, at: Instant, waiting_max: usize) -> bool {
        if self.due.borrow().len() >= waiting_max {
            return false;
        }
        self.due.borrow_mut().push_back(at);
        if let Some(waker) = self.waiting.borrow_mut().pop_front() {
            waker.wake();
        }
        true
    }

    /// No other will be.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    async fn next(&self) -> Option<Instant> {
        poll_fn(|cx| match self.due.borrow_mut().pop_front() {
            Some(at) => Poll::Ready(Some(at)),
            None if self.is_over.get() => Poll::Ready(None),
            None => {
                self.waiting.borrow_mut().push_back(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;
    use std::time::Duration;

    use super::*;

    fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_count_is_shared_and_a_time_ends() {
        let schedule = Schedule::closed(End::Count(3));
        let other = schedule.clone();
        assert!(now_or_never(schedule.next()).unwrap().is_some());
        assert!(now_or_never(other.next()).unwrap().is_some());
        assert_eq!(schedule.left(), 1);
        assert!(now_or_never(schedule.next()).unwrap().is_some());
        assert!(now_or_never(other.next()).unwrap().is_none());
        assert!(now_or_never(Schedule::closed(End::At(Instant::now())).next()).unwrap().is_none());
    }

    #[test]
    fn what_is_due_waits_within_a_bound_and_comes_in_order() {
        let (arrivals, first) = (Rc::new(Arrivals::default()), Instant::now());
        let schedule = Schedule::Open(Rc::clone(&arrivals));
        assert!(now_or_never(schedule.next()).is_none(), "nothing is due");
        let second = first + Duration::from_millis(1);
        assert!(arrivals.arrive(first, 2) && arrivals.arrive(second, 2));
        assert!(!arrivals.arrive(second, 2), "two wait");
        arrivals.end();
        assert_eq!(schedule.left(), 2);
        assert_eq!(now_or_never(schedule.next()), Some(Some(first)));
        assert_eq!(now_or_never(schedule.next()), Some(Some(second)));
        assert_eq!(now_or_never(schedule.next()), Some(None));
    }
}
