//! Lists: what is denied, and what alone is allowed where anything is.

/// Things that are allowed and things that are denied. `None` stands for a thing that is not known.
#[derive(Debug, Clone)]
pub(super) struct Lists<T> {
    /// Where there are any, all others are kept out.
    allow: Box<[Option<T>]>,
    deny: Box<[Option<T>]>,
}

/// Why a thing is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted<T> {
    /// It is denied; `None`: as what is not known.
    Denied(Option<T>),
    /// It is not among those that are allowed.
    NotAllowed,
}

impl<T: Copy + Ord> Lists<T> {
    /// Lists of these.
    pub(super) fn new(allow: Vec<Option<T>>, deny: Vec<Option<T>>) -> Self {
        let sorted = |mut list: Vec<Option<T>>| {
            list.sort_unstable();
            list.into_boxed_slice()
        };
        Self { allow: sorted(allow), deny: sorted(deny) }
    }

    /// Let a thing in or not.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, thing: Option<T>) -> Result<(), Unlisted<T>> {
        if self.deny.binary_search(&thing).is_ok() {
            return Err(Unlisted::Denied(thing));
        }
        match self.allow.is_empty() || self.allow.binary_search(&thing).is_ok() {
            true => Ok(()),
            false => Err(Unlisted::NotAllowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_kept_out_and_all_else_let_in() {
        let lists = Lists::new(Vec::new(), vec![Some(3), Some(1)]);
        assert_eq!(lists.check(Some(1)), Err(Unlisted::Denied(Some(1))));
        assert_eq!((lists.check(Some(2)), lists.check(None)), (Ok(()), Ok(())));
    }

    #[test]
    fn where_something_is_allowed_nothing_else_is_let_in() {
        let lists = Lists::new(vec![Some(3), Some(1)], Vec::new());
        assert_eq!((lists.check(Some(1)), lists.check(Some(3))), (Ok(()), Ok(())));
        for other in [Some(2), None] {
            assert_eq!(lists.check(other), Err(Unlisted::NotAllowed));
        }
    }

    #[test]
    fn what_is_not_known_can_be_listed_too() {
        assert_eq!(Lists::new(vec![Some(1), None], Vec::new()).check(None), Ok(()));
        let denied = Lists::new(Vec::<Option<u32>>::new(), vec![None]).check(None);
        assert_eq!(denied, Err(Unlisted::Denied(None)));
    }
}
