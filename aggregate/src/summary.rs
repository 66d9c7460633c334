//! placeholder

use crate::{plan::{Cell, SummaryKind}, raw::{ColumnValue, Record}};

#[derive(Debug)]
pub(crate) struct SummaryState<'a>(std::marker::PhantomData<&'a ()>);
impl<'a> SummaryState<'a> {
    pub(crate) fn new(_kind: SummaryKind) -> Self { Self(std::marker::PhantomData) }
    pub(crate) fn clear(&mut self) {}
    pub(crate) fn update(&mut self, _cell: &Cell, _record: &Record<'a>, _values: &[ColumnValue<'a>]) {}
    pub(crate) fn merge_bytes(&mut self, _bytes: &'a [u8]) -> Option<()> { Some(()) }
    pub(crate) fn finalize<'t>(&self, _o: &crate::plan::Output, _f: &crate::finalize::Found<'_, 't>, _t: &'t mut String) -> Option<model::value::ValueRef<'t>> { None }
    pub(crate) fn write(&self, _out: &mut Vec<u8>) {}
}
