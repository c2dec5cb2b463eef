//! Bounds on what peers can make a shard hold.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    rc::Rc,
};

use portcullis_telemetry::{ListenerMetrics, ShedReason};

use crate::plan::Limits;

/// Counts the connections of one listener on one shard.
#[derive(Debug)]
pub(crate) struct Slots {
    metrics: Rc<ListenerMetrics>,
    connections: Cell<usize>,
    handshakes: Cell<usize>,
    /// Handshakes in flight by source; holds no entry without one, so it is bounded by `handshakes`.
    by_source: RefCell<HashMap<IpAddr, usize>>,
}

/// A connection's place, given up when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot(Rc<Slots>);

/// A handshake's place, given up when dropped.
#[derive(Debug)]
pub(crate) struct HandshakeSlot {
    slots: Rc<Slots>,
    source: IpAddr,
}

impl Slots {
    pub(crate) fn new(metrics: Rc<ListenerMetrics>) -> Rc<Self> {
        let by_source = RefCell::default();
        Rc::new(Self { metrics, connections: Cell::new(0), handshakes: Cell::new(0), by_source })
    }

    /// Connections open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.get()
    }

    /// A place for a connection that was just accepted, and for its handshake.
    ///
    /// # Errors
    /// The bound that is reached.
    pub(crate) fn enter(
        self: &Rc<Self>,
        peer: SocketAddr,
        limits: &Limits,
    ) -> Result<(ConnectionSlot, HandshakeSlot), ShedReason> {
        if self.connections.get() >= limits.connections_max {
            return Err(ShedReason::Connections);
        }
        if self.handshakes.get() >= limits.handshakes_max {
            return Err(ShedReason::Handshakes);
        }
        let source = source(peer.ip());
        let mut by_source = self.by_source.borrow_mut();
        let from_source = by_source.get(&source).copied().unwrap_or(0);
        if limits.handshakes_per_source_max > 0 && from_source >= limits.handshakes_per_source_max {
            return Err(ShedReason::Source);
        }
        by_source.insert(source, from_source + 1);
        self.handshakes.set(self.handshakes.get() + 1);
        self.connections.set(self.connections.get() + 1);
        self.metrics.handshakes_in_flight.increment(1);
        self.metrics.connections.increment(1);
        Ok((ConnectionSlot(Rc::clone(self)), HandshakeSlot { slots: Rc::clone(self), source }))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.metrics.connections.decrement(1);
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        let slots = &self.slots;
        slots.handshakes.set(slots.handshakes.get() - 1);
        slots.metrics.handshakes_in_flight.decrement(1);
        let mut by_source = slots.by_source.borrow_mut();
        if let Some(count) = by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or the /64 that is the least an IPv6 site is given.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections_max: usize, handshakes_max: usize, handshakes_per_source_max: usize) -> Limits {
        Limits { connections_max, handshakes_max, handshakes_per_source_max, ..Limits::default() }
    }

    fn slots() -> Rc<Slots> {
        Slots::new(Rc::new(ListenerMetrics::register("test", 0)))
    }

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    #[test]
    fn each_bound_is_kept_and_given_back() {
        let slots = slots();
        let limits = limits(3, 2, 1);
        let (one, one_shaking) = slots.enter(peer("192.0.2.1"), &limits).unwrap();
        assert_eq!(slots.enter(peer("192.0.2.1"), &limits).unwrap_err(), ShedReason::Source);
        let (two, two_shaking) = slots.enter(peer("192.0.2.2"), &limits).unwrap();
        assert_eq!(slots.enter(peer("192.0.2.3"), &limits).unwrap_err(), ShedReason::Handshakes);
        drop((one_shaking, two_shaking));
        let three = slots.enter(peer("192.0.2.1"), &limits).unwrap();
        assert_eq!(slots.enter(peer("192.0.2.4"), &limits).unwrap_err(), ShedReason::Connections);
        drop((one, two, three));
        assert_eq!((slots.connections(), slots.handshakes.get()), (0, 0));
        assert!(slots.by_source.borrow().is_empty());
    }

    #[test]
    fn a_shed_source_leaves_nothing_behind() {
        let slots = slots();
        let limits = limits(9, 0, 9);
        for last in 0..9 {
            assert!(slots.enter(peer(&format!("192.0.2.{last}")), &limits).is_err());
        }
        assert!(slots.by_source.borrow().is_empty());
    }

    #[test]
    fn an_ipv6_site_is_one_source_and_a_mapped_address_is_ipv4() {
        assert_eq!(source("2001:db8::1".parse().unwrap()), source("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(source("2001:db8::1".parse().unwrap()), source("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(source("::ffff:192.0.2.1".parse().unwrap()), source("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn zero_means_no_bound_per_source() {
        let slots = slots();
        let limits = limits(9, 9, 0);
        let held: Vec<_> = (0..9).map(|_| slots.enter(peer("192.0.2.1"), &limits).unwrap()).collect();
        assert_eq!(held.len(), 9);
    }
}
