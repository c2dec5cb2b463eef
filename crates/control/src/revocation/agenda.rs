//! What is to be asked, when, and how much of it at a time.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

use tokio::time::Instant;

/// Questions that are under way at once: enough for a thousand answers a second from responders that take 100 ms.
const RUNNING_MAX: usize = 128;
/// Questions that one host is asked at once. A slow one holds up its own certificates and nobody else's.
const RUNNING_PER_HOST_MAX: usize = 16;

/// Jobs by the time when they are due, each at most once; those that are due wait for a place, host by host. A place that becomes free
/// is given to the hosts in turn, however much waits for each.
#[derive(Debug)]
pub(super) struct Agenda<J> {
    due: BTreeMap<(Instant, u64), J>,
    places: HashMap<J, State>,
    hosts: HashMap<String, Host<J>>,
    /// The hosts that something waits for, in the order in which they are served next.
    turns: VecDeque<String>,
    running: usize,
    count: u64,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Due((Instant, u64)),
    Waiting,
    Running { host: String, again: Option<Instant> },
}

#[derive(Debug)]
struct Host<J> {
    running: usize,
    waiting: VecDeque<J>,
    /// Whether it stands among the turns. One that has all the places that it may have loses its turn until one is free.
    has_turn: bool,
}

impl<J: Clone + Eq + Hash> Agenda<J> {
    pub(super) fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            places: HashMap::new(),
            hosts: HashMap::new(),
            turns: VecDeque::new(),
            running: 0,
            count: 0,
        }
    }

    /// Sets the time for a job, unless it is to be done earlier anyhow. One that is under way is done again then.
    pub(super) fn schedule(&mut self, job: J, at: Instant) {
        match self.places.get_mut(&job) {
            Some(State::Waiting) => return,
            Some(State::Running { again, .. }) => {
                *again = Some(again.map_or(at, |earlier| earlier.min(at)));
                return;
            }
            Some(State::Due(place)) if place.0 <= at => return,
            Some(State::Due(place)) => drop(self.due.remove(&*place)),
            None => {}
        }
        self.count += 1;
        let place = (at, self.count);
        self.due.insert(place, job.clone());
        self.places.insert(job, State::Due(place));
    }

    /// Strikes a job out. One that is under way is not done again.
    pub(super) fn cancel(&mut self, job: &J) {
        match self.places.get_mut(job) {
            Some(State::Due(place)) => {
                self.due.remove(&*place);
                self.places.remove(job);
            }
            Some(State::Running { again, .. }) => *again = None,
            // It is found to be without an object when its turn comes.
            Some(State::Waiting) | None => {}
        }
    }

    /// When the next job is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes a job that is due at `now` out, to be begun or to be dropped.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<J> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let job = entry.remove();
        self.places.remove(&job);
        Some(job)
    }

    /// Whether a job at `host` may begin now. If not it waits, and [`take_ready`](Self::take_ready) gives it out.
    pub(super) fn begin(&mut self, job: &J, host: &str) -> bool {
        let slot = self.hosts.entry(host.to_owned()).or_insert_with(|| Host {
            running: 0,
            waiting: VecDeque::new(),
            has_turn: false,
        });
        if self.running < RUNNING_MAX && slot.running < RUNNING_PER_HOST_MAX {
            slot.running += 1;
            self.running += 1;
            self.places.insert(job.clone(), State::Running { host: host.to_owned(), again: None });
            return true;
        }
        slot.waiting.push_back(job.clone());
        self.places.insert(job.clone(), State::Waiting);
        self.give_turn(host);
        false
    }

    /// Ends a job that was begun.
    pub(super) fn finish(&mut self, job: &J) {
        let Some(State::Running { host, again }) = self.places.remove(job) else { return };
        self.running -= 1;
        if let Some(slot) = self.hosts.get_mut(&host) {
            slot.running -= 1;
        }
        self.give_turn(&host);
        if let Some(again) = again {
            self.schedule(job.clone(), again);
        }
    }

    /// Takes a job out that waited and for which there is a place now, to be begun or to be dropped.
    pub(super) fn take_ready(&mut self) -> Option<J> {
        if self.running >= RUNNING_MAX {
            return None;
        }
        while let Some(host) = self.turns.pop_front() {
            let Some(slot) = self.hosts.get_mut(&host) else { continue };
            slot.has_turn = false;
            if slot.running >= RUNNING_PER_HOST_MAX {
                continue;
            }
            let job = slot.waiting.pop_front();
            self.give_turn(&host);
            if let Some(job) = job {
                self.places.remove(&job);
                return Some(job);
            }
        }
        None
    }

    /// Puts a host behind the others if something waits for it and it may have a place, and strikes it out if it is done with.
    fn give_turn(&mut self, host: &str) {
        let Some(slot) = self.hosts.get_mut(host) else { return };
        match slot.waiting.is_empty() {
            true if slot.running == 0 => drop(self.hosts.remove(host)),
            false if slot.running < RUNNING_PER_HOST_MAX && !slot.has_turn => {
                slot.has_turn = true;
                self.turns.push_back(host.to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_job_stands_there_once_at_its_earliest_time() {
        let (mut agenda, now) = (Agenda::new(), Instant::now());
        let later = now + Duration::from_secs(60);
        agenda.schedule("a", later);
        agenda.schedule("a", now);
        agenda.schedule("a", later);
        assert_eq!(
            (agenda.next_due(), agenda.take_due(now), agenda.take_due(later)),
            (Some(now), Some("a"), None)
        );
        agenda.schedule("b", now);
        agenda.cancel(&"b");
        assert_eq!((agenda.take_due(later), agenda.places.len()), (None, 0));
    }

    #[test]
    fn what_runs_is_not_begun_twice_and_done_again_if_asked() {
        let (mut agenda, now) = (Agenda::new(), Instant::now());
        assert!(agenda.begin(&"a", "host"));
        agenda.schedule("a", now);
        assert_eq!(agenda.take_due(now), None, "it is under way");
        agenda.finish(&"a");
        assert_eq!(agenda.take_due(now), Some("a"));
    }

    #[test]
    fn a_slow_host_holds_up_its_own() {
        let mut agenda = Agenda::new();
        let begun: Vec<u32> = (0..40).filter(|job| agenda.begin(job, "slow")).collect();
        assert_eq!(begun.len(), RUNNING_PER_HOST_MAX);
        assert!(agenda.begin(&100, "fast"));
        agenda.finish(&100);
        assert_eq!(agenda.take_ready(), None, "the slow one has no place");
        agenda.finish(&0);
        let next = agenda.take_ready();
        assert_eq!(next, Some(u32::try_from(RUNNING_PER_HOST_MAX).unwrap()), "first come, first served");
        // That one was dropped: the place is the next one's.
        assert_eq!(agenda.take_ready(), next.map(|job| job + 1));
    }

    #[test]
    fn hosts_are_served_in_turn() {
        let mut agenda = Agenda::new();
        let host = |job: &u32| format!("host-{}", job / 1000);
        // Eight hosts have all places, and much more to do; then one question comes for each of twenty others.
        let (crowds, single) =
            ((0..8).flat_map(|crowd| crowd * 1000..crowd * 1000 + 100), (8..28).map(|host| host * 1000));
        let mut running: VecDeque<u32> =
            crowds.chain(single.clone()).filter(|job| agenda.begin(job, &host(job))).collect();
        assert_eq!(running.len(), RUNNING_MAX);
        let mut begun = Vec::new();
        for _ in 0..2 * 28 {
            agenda.finish(&running.pop_front().unwrap());
            let next = agenda.take_ready().unwrap();
            assert!(agenda.begin(&next, &host(&next)));
            running.push_back(next);
            begun.push(next);
        }
        for job in single {
            assert!(begun.contains(&job), "{job} is not put off by those who have more");
        }
    }

    #[test]
    fn there_is_a_bound_over_all_hosts_and_nothing_is_left_behind() {
        let mut agenda = Agenda::new();
        let begun = (0..2000_u32).filter(|job| agenda.begin(job, &format!("host-{}", job % 100))).count();
        assert_eq!(begun, RUNNING_MAX);
        let mut running: VecDeque<u32> = (0..128).collect();
        let mut done = 0;
        while let Some(job) = running.pop_front() {
            done += 1;
            agenda.finish(&job);
            while let Some(next) = agenda.take_ready() {
                assert!(agenda.begin(&next, &format!("host-{}", next % 100)));
                running.push_back(next);
            }
        }
        assert_eq!(agenda.take_ready(), None);
        assert_eq!(
            (done, agenda.hosts.len(), agenda.turns.len(), agenda.places.len(), agenda.running),
            (2000, 0, 0, 0, 0)
        );
    }
}
