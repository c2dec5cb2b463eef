//! Deadlines that need no timer of their own.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// The deadlines of a shard's handshakes and idle connections, which its housekeeping looks after: as exact as that is frequent, and a
/// tenth of what a timer of the runtime takes.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    waiting: RefCell<BTreeMap<Key, Waker>>,
    set: Cell<u64>,
}

/// When, and which of those that are then.
type Key = (Instant, u64);

impl Deadlines {
    /// A deadline that is at `when`.
    pub(crate) fn at(&self, when: Instant) -> Deadline<'_> {
        self.set.set(self.set.get() + 1);
        Deadline { deadlines: self, key: (when, self.set.get()) }
    }

    /// Wakes who waits for a deadline that has come.
    pub(crate) fn wake(&self, now: Instant) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now) {
            first.remove().wake();
        }
    }
}

/// One deadline. Dropped, it is waited for no more.
#[derive(Debug)]
pub(crate) struct Deadline<'d> {
    deadlines: &'d Deadlines,
    key: Key,
}

impl Deadline<'_> {
    /// Ready once it is past, `now` being the time that [`Deadlines::wake`] was told last or a later one.
    pub(crate) fn poll(&self, now: Instant, cx: &Context<'_>) -> Poll<()> {
        if now >= self.key.0 {
            return Poll::Ready(());
        }
        let mut waiting = self.deadlines.waiting.borrow_mut();
        waiting
            .entry(self.key)
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        self.deadlines.waiting.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
        time::Duration,
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_once_it_is_time_and_nobody_else() {
        let (deadlines, start) = (Deadlines::default(), Instant::now());
        let second = |number| start + Duration::from_secs(number);
        let woken: [Arc<Woken>; 3] = Default::default();
        let wakers = woken.clone().map(Waker::from);
        let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed));
        let at: Vec<_> = [2, 1, 1].map(|number| deadlines.at(second(number))).into();
        for (deadline, waker) in at.iter().zip(&wakers) {
            assert!(deadline.poll(start, &Context::from_waker(waker)).is_pending());
        }
        deadlines.wake(start);
        assert_eq!(counts(), [0, 0, 0]);
        let mut at = at.into_iter();
        let (later, sooner) = (at.next().unwrap(), at.next().unwrap());
        drop(at);
        deadlines.wake(second(1));
        assert_eq!(counts(), [0, 1, 0], "the third was dropped");
        assert!(sooner.poll(second(1), &Context::from_waker(&wakers[1])).is_ready());
        assert!(later.poll(second(1), &Context::from_waker(&wakers[1])).is_pending());
        deadlines.wake(second(3));
        assert_eq!(counts(), [0, 2, 0], "by whoever asked last");
        drop((later, sooner));
        assert!(deadlines.waiting.borrow().is_empty());
    }
}
