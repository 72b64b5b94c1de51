//! A growing list of items as bytes, in pages: nothing is copied as it grows, and what is full takes no more than it
//! needs. The oldest pages can be forgotten; places stay what they are.

use super::Reader;

/// Blocks of a page. With items of some ten bytes a page has some thousand of them.
const BLOCKS: usize = 32;

/// Items are written one after the other, in blocks of so many. The first item of a block is written so that it can be
/// read without those before it: so at most a block is read to find one item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pages<const BLOCK: usize> {
    /// The pages that are kept.
    kept: Vec<Page>,
    /// How many pages before them were forgotten.
    forgotten: usize,
    len: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Where each block starts.
    blocks: Vec<u16>,
}

impl<const BLOCK: usize> Pages<BLOCK> {
    const ITEMS: usize = BLOCK * BLOCKS;

    pub(crate) const fn new() -> Self {
        Self { kept: Vec::new(), forgotten: 0, len: 0 }
    }

    /// How many items there were, forgotten ones included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Forgets the pages that hold nothing from this place on. The last page is kept: what comes next is written to it.
    pub(crate) fn forget_below(&mut self, place: usize) {
        let over = (place / Self::ITEMS).saturating_sub(self.forgotten).min(self.kept.len().saturating_sub(1));
        self.kept.drain(..over);
        self.forgotten += over;
    }

    #[cfg(test)]
    pub(super) const fn page_count(&self) -> usize {
        self.kept.len()
    }

    /// Room for one more item, to be written at the end of these bytes, and whether it is the first of a block. `None`
    /// when the page has grown too long, which no page of short items does.
    pub(crate) fn next(&mut self) -> Option<(&mut Vec<u8>, bool)> {
        if self.len.is_multiple_of(Self::ITEMS) {
            if let Some(full) = self.kept.last_mut() {
                full.bytes.shrink_to_fit();
                full.blocks.shrink_to_fit();
            }
            self.kept.push(Page::default());
        }
        let starts = self.len.is_multiple_of(BLOCK);
        let page = self.kept.last_mut()?;
        if starts {
            page.blocks.push(u16::try_from(page.bytes.len()).ok()?);
        }
        self.len += 1;
        Some((&mut page.bytes, starts))
    }

    /// The block that holds the item at this place, from its first item on.
    pub(crate) fn block(&self, place: usize) -> Option<Reader<'_>> {
        let page = self.kept.get((place / Self::ITEMS).checked_sub(self.forgotten)?).filter(|_| place < self.len)?;
        let at = *page.blocks.get(place % Self::ITEMS / BLOCK)?;
        page.bytes.get(usize::from(at)..).map(Reader::new)
    }
}
