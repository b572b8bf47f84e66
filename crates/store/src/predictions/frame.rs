//! Frames: what segments are made of. A mark, the length of the payload, a checksum of both, and the payload.
//!
//! A frame that was not written to its end is told from one that was damaged later by what follows: after the end of a file that
//! its writer left, nothing does. Behind a damaged frame, the next whole one is found by its mark.

/// What a frame begins with.
const MARK: [u8; 4] = *b"TWf1";
/// Bytes of the checksum: the beginning of a BLAKE3.
const CHECKSUM: usize = 8;
/// Bytes before the payload.
pub(super) const HEAD: usize = MARK.len() + 4 + CHECKSUM;

/// A payload as a frame.
///
/// # Panics
/// If the payload has 4 GiB or more.
pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("invariant: payloads are cut long before");
    let mut out = Vec::with_capacity(HEAD + payload.len());
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, payload));
    out.extend_from_slice(payload);
    out
}

fn checksum(length: u32, payload: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&length.to_le_bytes()).update(payload);
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    checksum
}

/// The payload of the frame that bytes begin with, if it is whole.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    (head[..4] == MARK && head[8..] == checksum(length, payload)).then_some(payload)
}

/// The payloads of the whole frames of some bytes.
#[derive(Debug, Clone)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    /// Where the last whole frame ends.
    end: usize,
    /// Bytes between whole frames that belong to none.
    damaged: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Frames { bytes, end: 0, damaged: 0 }
    }

    /// Where the last whole frame that was met ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Bytes between the whole frames that were met and that belong to none.
    pub(super) fn damaged(&self) -> usize {
        self.damaged
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut start = self.end;
        loop {
            if let Some(payload) = whole(&self.bytes[start..]) {
                self.damaged += start - self.end;
                self.end = start + HEAD + payload.len();
                return Some(payload);
            }
            let after = self.bytes.get(start + 1..)?;
            start += 1 + after.windows(MARK.len()).position(|w| w == MARK)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
        payloads.iter().flat_map(|p| frame(p)).collect()
    }

    #[test]
    fn a_file_that_is_cut_anywhere_has_the_frames_before_the_cut() {
        let payloads = [vec![1; 3], vec![], b"TWf1TWf1".to_vec(), vec![7; 40]];
        let bytes = file(&payloads);
        let ends: Vec<usize> = payloads
            .iter()
            .scan(0, |end, p| {
                *end += HEAD + p.len();
                Some(*end)
            })
            .collect();
        for cut in 0..=bytes.len() {
            let mut frames = Frames::of(&bytes[..cut]);
            let found: Vec<&[u8]> = frames.by_ref().collect();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(found, payloads[..whole].iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!((frames.end(), frames.damaged()), (ends[..whole].last().copied().unwrap_or(0), 0));
        }
    }

    #[test]
    fn every_flipped_bit_is_found_and_takes_one_frame() {
        let payloads = [vec![1; 3], vec![2; 5], vec![3; 9]];
        let bytes = file(&payloads);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut frames = Frames::of(&flipped);
            let found: Vec<Vec<u8>> = frames.by_ref().map(<[u8]>::to_vec).collect();
            let hit = [HEAD + 3, 2 * HEAD + 8].iter().filter(|end| bit / 8 >= **end).count();
            let left: Vec<Vec<u8>> =
                payloads.iter().enumerate().filter(|(i, _)| *i != hit).map(|(_, p)| p.clone()).collect();
            assert_eq!(found, left, "bit {bit}");
            assert_eq!(frames.damaged() > 0, hit < 2, "what is behind the last whole frame was never whole");
        }
    }

    proptest! {
        #[test]
        fn what_was_framed_comes_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
            let bytes = file(&payloads);
            let mut frames = Frames::of(&bytes);
            let found: Vec<Vec<u8>> = frames.by_ref().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(found, payloads);
            prop_assert_eq!((frames.end(), frames.damaged()), (bytes.len(), 0));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(Frames::of(&bytes).count(), 0);
        }
    }
}
