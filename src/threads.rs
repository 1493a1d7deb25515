//! Work for as many threads as there are processors.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` on each of `items`; what comes of it stands in their order, however many threads there are. A thread takes
/// `share` of them at a time: fewer are not worth one.
pub fn map<T: Sync, R: Send>(items: &[T], share: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let shares: Vec<&[T]> = items.chunks(share).collect();
    let next = AtomicUsize::new(0);
    let take_shares = || {
        let mut done = Vec::new();
        while let Some((at, share)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, shares.get(at)?)))
        {
            done.push((at, share.iter().map(&work).collect::<Vec<R>>()));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(shares.len());
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take_shares)).collect();
        let mut done = take_shares();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_what_they_were_made_from() {
        let numbers: Vec<u64> = (0..1000).collect();
        let squares: Vec<u64> = numbers.iter().map(|number| number * number).collect();
        for share in [1, 7, 5000] {
            assert_eq!(map(&numbers, share, |number| number * number), squares);
        }
        assert!(map(&[] as &[u64], 3, |number| *number).is_empty());
    }
}
