//! A deadline that moves.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use monoio::time::{Instant as TimerInstant, Sleep, sleep_until};

/// Wakes the task that polls it when a deadline has passed.
///
/// A deadline moves with every request and nearly never passes. So the timer is left where it is when the deadline
/// moves away, and set again when it goes off too early: a busy connection touches the timer wheel once a deadline's
/// length, not once a request.
#[derive(Debug)]
pub(crate) struct Alarm {
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) const fn new(deadline: Instant) -> Self {
        Self { deadline, timer: None }
    }

    pub(crate) fn set(&mut self, deadline: Instant) {
        self.deadline = deadline;
        let at = TimerInstant::from_std(deadline);
        if let Some(timer) = self.timer.as_mut().filter(|timer| timer.deadline() > at) {
            timer.as_mut().reset(at);
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = TimerInstant::from_std(self.deadline);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= self.deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}
