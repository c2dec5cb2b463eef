//! Tells every connection of a shard that there is news.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Waker},
};

use slab::Slab;

/// Rung when a new plan was taken up or the shard drains. Each connection holds one [`Ear`].
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Cell<u64>,
    wakers: RefCell<Slab<Waker>>,
}

impl Bell {
    /// Wakes every connection that listens.
    pub(crate) fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        for (_, waker) in self.wakers.borrow().iter() {
            waker.wake_by_ref();
        }
    }
}

/// One connection's place at the bell.
#[derive(Debug)]
pub(crate) struct Ear {
    heard: Cell<u64>,
    place: Cell<Option<usize>>,
}

impl Ear {
    /// Hears at its first poll, whether or not it rang: what a connection was judged by may be as old as its
    /// handshake is long, and nobody could be told before it had an ear.
    pub(crate) fn new() -> Self {
        Self { heard: Cell::new(u64::MAX), place: Cell::new(None) }
    }

    /// Whether the bell rang since this was last asked; the task is woken when it does.
    pub(crate) fn poll(&self, bell: &Bell, cx: &Context<'_>) -> bool {
        let mut wakers = bell.wakers.borrow_mut();
        match self.place.get().and_then(|place| wakers.get_mut(place)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.place.set(Some(wakers.insert(cx.waker().clone()))),
        }
        self.heard.replace(bell.rung.get()) != bell.rung.get()
    }

    /// Gives the place up. Once a connection.
    pub(crate) fn leave(&self, bell: &Bell) {
        if let Some(place) = self.place.take() {
            bell.wakers.borrow_mut().remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_once_by_each() {
        let bell = Bell::default();
        let (one, two) = (Ear::new(), Ear::new());
        let cx = Context::from_waker(Waker::noop());
        assert!(one.poll(&bell, &cx), "what came before it had an ear");
        assert!(!one.poll(&bell, &cx));
        bell.ring();
        assert!(one.poll(&bell, &cx));
        assert!(!one.poll(&bell, &cx));
        assert!(two.poll(&bell, &cx));
        one.leave(&bell);
        two.leave(&bell);
        assert!(bell.wakers.borrow().is_empty());
    }
}
