//! Model files of every released format are read and predict what they always did.

use std::path::Path;

use tabwright_core::Rows;
use tabwright_lifecycle::file::load;

use crate::churn;

/// Fixtures with their content ids and the probability that they give the first row of the sample.
const RELEASED: [(&str, &str, f64); 2] = [
    (
        "format-1-trees.tw",
        "blake3:177272a5c779f6c63180fefcbf88e8bd512ac8e6a22647a9b419b7fd1c89be6f",
        0.1662994982299528,
    ),
    (
        "format-1-linear.tw",
        "blake3:d8573b1718ddbd46414bee65d15303f6917f8389ff3f2bfa3357b5cc2389bfa9",
        0.03075946065246899,
    ),
];

#[test]
fn every_released_format_is_read() {
    for (name, content_id, probability) in RELEASED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let artifact = load(&path).unwrap();
        assert_eq!(artifact.content_id(), content_id, "{name}");
        let table = churn(3);
        let scorer = artifact.model().bind(table.schema()).unwrap();
        assert_eq!(scorer.predict(Rows::all(table.block())).values[0], probability, "{name}");
    }
}
