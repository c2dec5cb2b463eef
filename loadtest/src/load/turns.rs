//! Whose turn it is: steps in the shares of their weights, not by chance.

/// Deals turns. After as many as the weights sum up to, each step has had exactly its weight of them.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    weights: Vec<u32>,
    owed: Vec<i64>,
}

impl Turns {
    /// For these weights, of which there is at least one.
    pub(super) fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let weights: Vec<u32> = weights.into_iter().collect();
        Self { owed: vec![0; weights.len()], weights }
    }

    /// The next one: whoever is owed most, and of those the first.
    pub(super) fn next(&mut self) -> usize {
        let (mut next, mut whole) = (0, 0);
        for (index, weight) in self.weights.iter().enumerate() {
            self.owed[index] += i64::from(*weight);
            whole += i64::from(*weight);
            if self.owed[index] > self.owed[next] {
                next = index;
            }
        }
        self.owed[next] -= whole;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_and_none_waits_for_long() {
        let mut turns = Turns::new([5, 1, 1]);
        let dealt: Vec<usize> = (0..7).map(|_| turns.next()).collect();
        assert_eq!(dealt, [0, 0, 1, 0, 2, 0, 0]);
        let mut counts = [0; 3];
        (0..700).for_each(|_| counts[turns.next()] += 1);
        assert_eq!(counts, [500, 100, 100]);
    }
}
