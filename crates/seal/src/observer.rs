//! Who watches a message being read: nobody, or whoever explains it.

use crate::error::SealError;

/// Is told of each step and its result, which it hands on.
pub(crate) trait Observer {
    /// `detail` is called only where somebody reads it.
    fn step<T>(
        &mut self,
        name: &'static str,
        result: Result<T, SealError>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T, SealError>;
}

/// Nobody.
pub(crate) struct Silent;

impl Observer for Silent {
    fn step<T>(
        &mut self,
        _: &'static str,
        result: Result<T, SealError>,
        _: impl FnOnce(&T) -> String,
    ) -> Result<T, SealError> {
        result
    }
}
