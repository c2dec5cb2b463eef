//! News that may make a difference to who was judged before, and whom it concerns.

use std::collections::VecDeque;

use portcullis_identity::Thumbprint;

/// News about single certificates of which it is still known whom they concerned. Who has missed more than these looks after
/// everybody: shards look ten times a second, and more certificates than this are not revoked one by one in that time.
const RECENT_MAX: usize = 64;

/// Counts the news that may make a difference to who was judged before: a certificate is revoked, or is no more; another
/// register.
#[derive(Debug, Clone, Default)]
pub struct News {
    turn: u64,
    /// Whom the last so many turns concerned.
    recent: VecDeque<Thumbprint>,
}

/// Whom news concerns.
#[derive(Debug, PartialEq, Eq)]
pub enum Concerned {
    /// Everybody, for all that is known.
    Anyone,
    /// These certificates; none where there is no news.
    Only(Vec<Thumbprint>),
}

impl News {
    /// There is news about one certificate.
    pub fn about(&mut self, thumbprint: Thumbprint) {
        self.turn += 1;
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(thumbprint);
    }

    /// There is news that may concern anybody.
    pub fn about_anyone(&mut self) {
        self.turn += 1;
        self.recent.clear();
    }

    /// How many news there were.
    pub const fn turn(&self) -> u64 {
        self.turn
    }

    /// Whom the news since an earlier turn concern.
    pub fn since(&self, turn: u64) -> Concerned {
        let missed = usize::try_from(self.turn.saturating_sub(turn)).unwrap_or(usize::MAX);
        match self.recent.len().checked_sub(missed) {
            Some(known) => Concerned::Only(self.recent.iter().skip(known).copied().collect()),
            None => Concerned::Anyone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thumbprint(number: u8) -> Thumbprint {
        Thumbprint::from([number; 32])
    }

    #[test]
    fn news_concerns_those_it_is_about() {
        let mut news = News::default();
        assert_eq!(news.since(0), Concerned::Only(Vec::new()));
        news.about(thumbprint(1));
        news.about(thumbprint(2));
        assert_eq!(news.since(0), Concerned::Only(vec![thumbprint(1), thumbprint(2)]));
        assert_eq!(news.since(1), Concerned::Only(vec![thumbprint(2)]));
        news.about_anyone();
        assert_eq!((news.since(1), news.since(2), news.turn()), (Concerned::Anyone, Concerned::Anyone, 3));
        news.about(thumbprint(3));
        assert_eq!(news.since(3), Concerned::Only(vec![thumbprint(3)]));
        assert_eq!(news.since(2), Concerned::Anyone);
    }

    #[test]
    fn who_has_missed_too_much_looks_after_everybody() {
        let mut news = News::default();
        for _ in 0..=RECENT_MAX {
            news.about(thumbprint(1));
        }
        assert_eq!(news.since(0), Concerned::Anyone);
        assert_eq!(news.since(1), Concerned::Only(vec![thumbprint(1); RECENT_MAX]));
    }
}
