use super::super::{Fifo, Lru, Policy, Sieve};
use super::{ask, id, kept};

/// Puts in 1, 2, 3 and 4, uses 1 and 3, and asks for 5 and 6 beyond.
fn filled(mut policy: impl Policy) -> Vec<u64> {
    [1, 2, 3, 4, 1, 3, 5, 6].iter().for_each(|&number| _ = ask(&mut policy, number, 10));
    kept(&mut policy, 0..10)
}

#[test]
fn fifo_lets_leave_what_came_first() {
    assert_eq!(filled(Fifo::new(40)), [3, 4, 5, 6]);
}

#[test]
fn lru_lets_leave_what_was_used_first() {
    assert_eq!(filled(Lru::new(40)), [1, 3, 5, 6]);
}

#[test]
fn sieve_lets_leave_what_was_not_used_since_the_hand_came_by() {
    assert_eq!(filled(Sieve::new(40)), [1, 3, 5, 6]);
    let mut sieve = Sieve::new(40);
    [1, 2, 3, 4, 1, 3, 5].iter().for_each(|&number| _ = ask(&mut sieve, number, 10));
    // The hand has passed 1 and stands at 3, which was used: it goes on to 4, not back to 1.
    assert_eq!(sieve.insert(id(6), 10)[..], [id(4)]);
    assert_eq!(sieve.insert(id(7), 10)[..], [id(5)]);
}

#[test]
fn the_hand_of_sieve_goes_on_when_what_it_points_at_is_removed() {
    let mut sieve = Sieve::new(40);
    [1, 2, 3, 4, 1, 5].iter().for_each(|&number| _ = ask(&mut sieve, number, 10));
    assert_eq!(sieve.remove(id(3)), Some(10), "the hand stands there, since 2 has left");
    assert!(sieve.insert(id(6), 10).is_empty());
    assert_eq!(sieve.insert(id(7), 10)[..], [id(4)]);
}
