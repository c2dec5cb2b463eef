//! Tells connections of a shard that there is news.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Context, Poll, Waker},
    time::Duration,
};

use slab::Slab;

/// Rung for all when a new plan was taken up or the shard drains, and for some when there is news about their certificate. Each
/// connection holds one [`Ear`].
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Cell<u64>,
    listeners: RefCell<Slab<Listener>>,
}

#[derive(Debug)]
struct Listener {
    /// `None` before the connection first listens.
    waker: Option<Waker>,
    is_called: bool,
}

impl Listener {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl Bell {
    /// Wakes every connection that listens.
    pub(crate) fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        for (_, listener) in self.listeners.borrow().iter() {
            listener.wake();
        }
    }

    /// Wakes the connection at a place, if it is still there. Whoever has come to the place meanwhile looks in vain.
    pub(crate) fn ring_for(&self, place: usize) {
        if let Some(listener) = self.listeners.borrow_mut().get_mut(place) {
            listener.is_called = true;
            listener.wake();
        }
    }
}

impl Bell {
    /// Asks now, and whenever it rings, whether something is so; returns when it is, or `wait` is over.
    pub(crate) async fn until(&self, wait: Duration, mut is_so: impl FnMut() -> bool) {
        let attending = Attending { bell: self, ear: Ear::new(self) };
        let heard = poll_fn(|cx| {
            while attending.ear.poll(self, cx) {
                if is_so() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        });
        // Whoever asked looks again in either case.
        let _ = monoio::time::timeout(wait, heard).await;
    }
}

/// Who waits at a bell, until it is dropped: a client that leaves drops what waits for it.
struct Attending<'b> {
    bell: &'b Bell,
    ear: Ear,
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        self.ear.leave(self.bell);
    }
}

/// One connection's place at the bell.
#[derive(Debug)]
pub(crate) struct Ear {
    heard: Cell<u64>,
    place: usize,
}

impl Ear {
    /// Hears at its first poll, whether or not it rang: what a connection was judged by may be as old as its
    /// handshake is long, and nobody could be told before it had an ear.
    pub(crate) fn new(bell: &Bell) -> Self {
        let place = bell.listeners.borrow_mut().insert(Listener { waker: None, is_called: false });
        Self { heard: Cell::new(u64::MAX), place }
    }

    /// Where it is at the bell.
    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    /// Whether the bell rang, for all or for this one, since this was last asked; the task is woken when it does.
    pub(crate) fn poll(&self, bell: &Bell, cx: &Context<'_>) -> bool {
        let mut listeners = bell.listeners.borrow_mut();
        let listener = &mut listeners[self.place];
        match &mut listener.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        let is_called = std::mem::take(&mut listener.is_called);
        self.heard.replace(bell.rung.get()) != bell.rung.get() || is_called
    }

    /// Gives the place up. Once a connection.
    pub(crate) fn leave(&self, bell: &Bell) {
        bell.listeners.borrow_mut().remove(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_once_by_each() {
        let bell = Bell::default();
        let (one, two) = (Ear::new(&bell), Ear::new(&bell));
        let cx = Context::from_waker(Waker::noop());
        assert!(one.poll(&bell, &cx), "what came before it had an ear");
        assert!(!one.poll(&bell, &cx));
        bell.ring();
        assert!(one.poll(&bell, &cx));
        assert!(!one.poll(&bell, &cx));
        assert!(two.poll(&bell, &cx));
        one.leave(&bell);
        two.leave(&bell);
        assert!(bell.listeners.borrow().is_empty());
    }

    #[test]
    fn a_ring_for_one_is_heard_by_that_one() {
        let bell = Bell::default();
        let (one, two) = (Ear::new(&bell), Ear::new(&bell));
        let cx = Context::from_waker(Waker::noop());
        assert!(one.poll(&bell, &cx) && two.poll(&bell, &cx));
        bell.ring_for(two.place());
        assert!(!one.poll(&bell, &cx));
        assert!(two.poll(&bell, &cx));
        assert!(!two.poll(&bell, &cx));
        two.leave(&bell);
        bell.ring_for(two.place());
        assert!(!one.poll(&bell, &cx));
    }

    #[test]
    fn whoever_waits_is_told_and_leaves_no_place_behind() {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().unwrap().block_on(async {
            let (bell, is_so, long) = (Bell::default(), Cell::new(false), Duration::from_secs(3600));
            let mut waiting = Box::pin(bell.until(long, || is_so.get()));
            let mut look = |cx: &mut Context<'_>| Poll::Ready(waiting.as_mut().poll(cx).is_ready());
            assert!(!poll_fn(&mut look).await);
            is_so.set(true);
            assert!(!poll_fn(&mut look).await, "nobody rang");
            bell.ring();
            assert!(poll_fn(&mut look).await);
            assert!(bell.listeners.borrow().is_empty());
            let mut left = Box::pin(bell.until(long, || false));
            assert!(poll_fn(|cx| Poll::Ready(left.as_mut().poll(cx).is_pending())).await);
            assert_eq!(bell.listeners.borrow().len(), 1);
            drop(left);
            assert!(bell.listeners.borrow().is_empty());
        });
    }
}
