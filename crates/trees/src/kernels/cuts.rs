//! Which of several cuts of a node is the best, four at a time.

/// Cuts that are judged at once.
pub(crate) const WIDTH: usize = 4;

/// Bits of a sum of weight times target; those above it are a sum of weights.
pub(crate) const SUM_BITS: u32 = 45;

/// What the cuts of a node are judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge {
    /// Of all rows.
    pub(crate) weight: f64,
    /// Of weight times target of all rows, from the centre.
    pub(crate) sum: f64,
    /// The centre of the targets as they are packed.
    pub(crate) centre: f64,
}

/// The bits of 2⁵²: whole numbers below it are the last bits of their sum with it.
const TWO_TO_52: u64 = 0x4330_0000_0000_0000;

/// A cut: how good it is, the weight on its left, and its place among the cuts. All are whole numbers or fractions of them,
/// so that vectors of one kind hold them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Best {
    score: f64,
    left_weight: f64,
    place: f64,
}

impl Best {
    const NONE: Best = Best { score: -1.0, left_weight: 0.0, place: 0.0 };

    fn or(self, other: Best) -> Best {
        let comes_first =
            other.left_weight < self.left_weight || (other.left_weight == self.left_weight && other.place < self.place);
        if other.score > self.score || (other.score == self.score && comes_first) { other } else { self }
    }
}

/// The place and the score, D² / (wₗ wᵣ), of the best of some cuts, given the sums on their left, each packed in a word: of
/// equal ones that with the least weight on the left, the first of those, and a score below 0 if there is none. A cut that
/// leaves nothing on a side has no score.
///
/// # Panics
/// If the cuts are no multiple of [`WIDTH`].
pub(crate) fn best_cut(lefts: &[u64], judge: &Judge) -> (usize, f64) {
    let (chunks, rest) = lefts.as_chunks::<WIDTH>();
    assert!(rest.is_empty(), "cuts are judged by fours");
    #[cfg(target_arch = "x86_64")]
    if super::has_avx2() {
        #[expect(unsafe_code, reason = "the compiler cannot know the processor")]
        // SAFETY: the processor has the instructions, as was just asked.
        return unsafe { best_cut_avx2(chunks, judge) };
    }
    best_cut_plain(chunks, judge)
}

fn best_cut_plain(chunks: &[[u64; WIDTH]], judge: &Judge) -> (usize, f64) {
    let number = |bits: u64| f64::from_bits(bits | TWO_TO_52) - f64::from_bits(TWO_TO_52);
    let cut = |(place, packed): (usize, &u64)| {
        let left_weight = number(packed >> SUM_BITS);
        let left_sum = number(packed & ((1 << SUM_BITS) - 1)) - judge.centre * left_weight;
        let difference = left_sum * judge.weight - judge.sum * left_weight;
        let score = difference * difference / (left_weight * (judge.weight - left_weight));
        Best { score, left_weight, place: place as f64 }
    };
    let best = chunks.as_flattened().iter().enumerate().map(cut).fold(Best::NONE, Best::or);
    (best.place as usize, best.score)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn best_cut_avx2(chunks: &[[u64; WIDTH]], judge: &Judge) -> (usize, f64) {
    use std::arch::x86_64::{
        __m256d, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LT_OQ, _mm256_add_pd, _mm256_and_pd, _mm256_and_si256,
        _mm256_blendv_pd, _mm256_castsi256_pd, _mm256_cmp_pd, _mm256_cvtsd_f64, _mm256_div_pd, _mm256_loadu_si256,
        _mm256_max_pd, _mm256_min_pd, _mm256_mul_pd, _mm256_or_pd, _mm256_or_si256, _mm256_permute_pd,
        _mm256_permute2f128_pd, _mm256_set1_epi64x, _mm256_set1_pd, _mm256_setr_pd, _mm256_srli_epi64, _mm256_sub_pd,
    };
    let [weight, sum, centre] = [judge.weight, judge.sum, judge.centre].map(|number| _mm256_set1_pd(number));
    let (magic, low_bits) = (_mm256_set1_epi64x(TWO_TO_52 as i64), _mm256_set1_epi64x((1 << SUM_BITS) - 1));
    let number =
        |bits: __m256i| _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(bits, magic)), _mm256_castsi256_pd(magic));
    let Best { score, left_weight, place } = Best::NONE;
    let (mut best, mut lefts, mut places) = (_mm256_set1_pd(score), _mm256_set1_pd(left_weight), _mm256_set1_pd(place));
    let (mut at, step) = (_mm256_setr_pd(0.0, 1.0, 2.0, 3.0), _mm256_set1_pd(WIDTH as f64));
    for chunk in chunks {
        #[expect(unsafe_code, reason = "vectors are loaded through pointers")]
        // SAFETY: four words are as long as a vector.
        let sums = unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) };
        let left_weight = number(_mm256_srli_epi64::<{ SUM_BITS as i32 }>(sums));
        let left_sum = number(_mm256_and_si256(sums, low_bits));
        let left_sum = _mm256_sub_pd(left_sum, _mm256_mul_pd(centre, left_weight));
        let difference = _mm256_sub_pd(_mm256_mul_pd(left_sum, weight), _mm256_mul_pd(sum, left_weight));
        let sides = _mm256_mul_pd(left_weight, _mm256_sub_pd(weight, left_weight));
        let score = _mm256_div_pd(_mm256_mul_pd(difference, difference), sides);
        let is_equal = _mm256_cmp_pd::<_CMP_EQ_OQ>(score, best);
        let is_first = _mm256_and_pd(is_equal, _mm256_cmp_pd::<_CMP_LT_OQ>(left_weight, lefts));
        let is_better = _mm256_or_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(score, best), is_first);
        best = _mm256_blendv_pd(best, score, is_better);
        lefts = _mm256_blendv_pd(lefts, left_weight, is_better);
        places = _mm256_blendv_pd(places, at, is_better);
        at = _mm256_add_pd(at, step);
    }
    // The best of the four lanes, in all of them.
    let swapped = |x: __m256d| (_mm256_permute_pd::<0b0101>(x), _mm256_permute2f128_pd::<1>(x, x));
    let least = |x: __m256d| {
        let x = _mm256_min_pd(x, swapped(x).0);
        _mm256_min_pd(x, swapped(x).1)
    };
    let of_those = |mask: __m256d, x: __m256d| _mm256_blendv_pd(_mm256_set1_pd(f64::INFINITY), x, mask);
    let most = _mm256_max_pd(best, swapped(best).0);
    let most = _mm256_max_pd(most, swapped(most).1);
    let is_best = _mm256_cmp_pd::<_CMP_EQ_OQ>(best, most);
    let lightest = least(of_those(is_best, lefts));
    let is_lightest = _mm256_and_pd(is_best, _mm256_cmp_pd::<_CMP_EQ_OQ>(lefts, lightest));
    let first = least(of_those(is_lightest, places));
    (_mm256_cvtsd_f64(first) as usize, _mm256_cvtsd_f64(most))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tabwright_model::kernels::both;

    use super::*;

    proptest! {
        #[test]
        fn cuts_are_judged_alike_with_vectors_and_without(
            cuts in prop::collection::vec((0u64..40, 0u64..40), 0..30),
            centre in -3i64..3,
        ) {
            let mut lefts: Vec<u64> = cuts.iter().map(|(w, s)| w << SUM_BITS | s).collect();
            lefts.resize(lefts.len().next_multiple_of(WIDTH), 0);
            let judge = Judge { weight: 39.0, sum: 17.0, centre: centre as f64 };
            let (wide, plain) = both(|| best_cut(&lefts, &judge));
            prop_assert_eq!(wide, plain);
            // Against the definition.
            let score = |cut: u64| {
                let (weight, sum) = ((cut >> SUM_BITS) as i64, (cut & ((1 << SUM_BITS) - 1)) as i64);
                let difference = (sum - centre * weight) * 39 - 17 * weight;
                (difference * difference) as f64 / (weight * (39 - weight)) as f64
            };
            let scored = lefts.iter().enumerate().map(|(i, cut)| (score(*cut), cut >> SUM_BITS, i));
            let best = scored.filter(|s| s.0 >= 0.0 && s.0.is_finite()).min_by(|a, b| {
                b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2))
            });
            let infinite = lefts.iter().any(|cut| score(*cut).is_infinite());
            if !infinite {
                prop_assert_eq!(best.map(|b| (b.2, b.0)), (wide.1 >= 0.0).then_some(wide));
            }
        }
    }
}
