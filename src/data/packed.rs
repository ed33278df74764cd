//! Many texts in one buffer: five bytes of overhead each would be four too many for a million.
//!
//! Owns the layout alone; what the texts mean is the business of those who keep them.

use super::fault::Fault;

/// The most bytes that the texts of one buffer may have together: their ends are 32 bits.
pub(super) const MOST_BYTES: u64 = u32::MAX as u64;

/// Texts by number.
#[derive(Debug, Default)]
pub(super) struct Packed {
    text: String,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<u32>,
}

impl Packed {
    pub(super) fn push(&mut self, text: &str) -> Result<(), Fault> {
        self.text.push_str(text);
        let end = u32::try_from(self.text.len()).map_err(|_| {
            Fault::new("more than 4 GB of text").hint("split it into several files")
        })?;
        self.ends.push(end);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1],
        };
        Some(&self.text[start as usize..end as usize])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Gives back what was reserved while it grew.
    pub(super) fn shrink(mut self) -> Packed {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        let mut packed = Packed::default();
        for text in ["", "añb", "", "c"] {
            packed.push(text).unwrap();
        }
        let packed = packed.shrink();
        assert_eq!(packed.iter().collect::<Vec<_>>(), ["", "añb", "", "c"]);
        assert_eq!(packed.get(4), None);
    }
}
