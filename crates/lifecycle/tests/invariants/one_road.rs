//! One road from row to prediction: a row alone, in any batch and in any order has the same bits.

use tabwright_core::{RowSet, Rows};
use tabwright_model::Scratch;
use tabwright_model::artifact::Artifact;

use crate::{CLASSIFIERS, churn, config, trained};

#[test]
fn a_row_alone_and_in_a_batch_has_the_same_bits_before_and_after_storing() {
    let table = churn(400);
    for candidate in CLASSIFIERS {
        let trained = trained(table.clone(), &config(&[candidate]));
        let stored = Artifact::from_bytes(&trained.artifact.to_bytes().unwrap()).unwrap();
        assert_eq!(stored.content_id(), trained.artifact.content_id());
        let scorer = stored.model().bind(table.schema()).unwrap();
        let all = scorer.predict(Rows::all(table.block()));
        let first = trained.artifact.model().bind(table.schema()).unwrap().predict(Rows::all(table.block()));
        assert_eq!(all.values, first.values, "{candidate}: stored and fitted");
        let mut scratch = Scratch::default();
        for row in 0..table.n_rows() {
            let mut out = [0.0];
            scorer.predict_into(Rows::new(table.block(), RowSet::Range(row, row + 1)), &mut scratch, &mut out);
            assert_eq!(out[0].to_bits(), all.values[row].to_bits(), "{candidate}, row {row}");
        }
        let backwards: Vec<u32> = (0..table.n_rows() as u32).rev().collect();
        let reversed = scorer.predict(Rows::new(table.block(), RowSet::List(&backwards)));
        assert!(reversed.values.iter().rev().eq(&all.values), "{candidate}: backwards");
    }
}
