//! The large tables of the soak, written row by row from a seedless mix of the row number: the same bytes every time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::process::Result;

/// 64 well-mixed bits for a cell (the finaliser of SplitMix64; Steele et al., 2014).
fn bits(row: usize, column: usize) -> u64 {
    let mut z = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (column as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `[0, 1)`.
fn uniform(row: usize, column: usize) -> f64 {
    (bits(row, column) >> 11) as f64 / (1u64 << 53) as f64
}

/// Writes a file through `fill` and says how many bytes it has.
fn file(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<u64>) -> Result<u64> {
    let told = |e: std::io::Error| format!("{} cannot be written: {e}", path.display());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(told)?);
    let bytes = fill(&mut out).map_err(told)?;
    out.flush().map_err(told)?;
    Ok(bytes)
}

/// A binary target and numeric columns, of which the first ten matter.
pub(super) fn wide(path: &Path, rows: usize, columns: usize) -> Result<u64> {
    file(path, |out| {
        let names: Vec<String> = (0..columns).map(|c| format!("x{c}")).collect();
        writeln!(out, "{},y", names.join(","))?;
        for row in 0..rows {
            let signal: f64 = (0..10).map(|c| uniform(row, c)).sum();
            for column in 0..columns {
                write!(out, "{:.3},", uniform(row, column))?;
            }
            writeln!(out, "{}", if signal > 5.0 { "yes" } else { "no" })?;
        }
        Ok(0)
    })
}

/// A text column of three words, but for every hundredth row, whose cell has `size` bytes and line breaks.
pub(super) fn large_cells(path: &Path, rows: usize, size: usize) -> Result<u64> {
    file(path, |out| {
        writeln!(out, "a,note,y")?;
        for row in 0..rows {
            let a = uniform(row, 0);
            write!(out, "{a:.4},")?;
            if row % 100 == 50 {
                write!(out, "\"")?;
                let line = format!("a long remark of row {row}, with \"\"quotes\"\"\n");
                // A doubled quote is one sign of the cell.
                for _ in 0..size.div_ceil(line.len() - 2) {
                    out.write_all(line.as_bytes())?;
                }
                write!(out, "\"")?;
            } else {
                write!(out, "\"remark number {row}\"")?;
            }
            writeln!(out, ",{}", u8::from(a + 0.3 * uniform(row, 1) > 0.6))?;
        }
        Ok(0)
    })
}

/// A category of `levels` levels, some of which matter, and a number.
pub(super) fn many_levels(path: &Path, rows: usize, levels: usize) -> Result<u64> {
    file(path, |out| {
        writeln!(out, "city,size,y")?;
        for row in 0..rows {
            let level = if row < levels { row } else { (bits(row, 0) % levels as u64) as usize };
            let effect = uniform(level, 7) - 0.5;
            let size = uniform(row, 1);
            let y = effect + size + 0.5 * uniform(row, 2) > 0.75;
            writeln!(out, "city {level},{size:.4},{}", if y { "yes" } else { "no" })?;
        }
        Ok(0)
    })
}

/// Numbers, whole numbers, categories, dates and missing cells, up to a number of rows or bytes.
pub(super) fn mixed(path: &Path, rows: usize, bytes: u64) -> Result<u64> {
    const PLANS: [&str; 4] = ["free", "basic", "plus", "enterprise"];
    file(path, |out| {
        let mut written = 0;
        let header = "id,day,plan,amount,count,rate,region,flag,y\n";
        out.write_all(header.as_bytes())?;
        written += header.len() as u64;
        for row in 0..rows {
            if written >= bytes {
                break;
            }
            let plan = PLANS[(bits(row, 0) % 4) as usize];
            let amount = uniform(row, 1) * 1e4;
            let amount_cell = if bits(row, 2).is_multiple_of(20) { String::new() } else { format!("{amount:.2}") };
            let (count, rate) = (bits(row, 3) % 1_000, uniform(row, 4));
            let score = amount / 1e4 + rate + if plan == "plus" { 0.5 } else { 0.0 } + 0.5 * uniform(row, 5);
            let line = format!(
                "c{row:08},2024-{:02}-{:02},{plan},{amount_cell},{count},{rate:.6},region {},{},{}\n",
                bits(row, 6) % 12 + 1,
                bits(row, 7) % 28 + 1,
                bits(row, 8) % 300,
                bits(row, 9).is_multiple_of(3),
                if score > 1.4 { "yes" } else { "no" },
            );
            out.write_all(line.as_bytes())?;
            written += line.len() as u64;
        }
        Ok(written)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Scratch;

    #[test]
    fn tables_have_their_rows_and_the_same_bytes_every_time() {
        let folder = Scratch::new("tables").unwrap();
        let path = |name: &str| folder.path().join(name);
        mixed(&path("a"), 1_000, u64::MAX).unwrap();
        mixed(&path("b"), 1_000, u64::MAX).unwrap();
        let text = std::fs::read_to_string(path("a")).unwrap();
        assert_eq!(text.lines().count(), 1_001);
        assert_eq!(text, std::fs::read_to_string(path("b")).unwrap());
        let yes = text.lines().filter(|l| l.ends_with(",yes")).count();
        assert!((200..800).contains(&yes), "{yes}");
        assert!(mixed(&path("c"), usize::MAX, 10_000).unwrap() >= 10_000);
    }

    #[test]
    fn wide_rows_are_wide_and_cells_are_large() {
        let folder = Scratch::new("tables").unwrap();
        let path = folder.path().join("t");
        wide(&path, 3, 50).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|l| l.split(',').count() == 51));
        large_cells(&path, 100, 5_000).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > 4_900);
        many_levels(&path, 20, 10).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("city 9,"));
    }
}
