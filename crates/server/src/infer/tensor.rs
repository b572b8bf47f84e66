//! Tensors of a request: their types, their shapes, and their values on the way into columns.

use tabwright_data::{JsonKind, JsonReader, JsonValue, RowBuilder};

use crate::refusal::{Answer, Refusal};

/// Dimensions of a tensor, at most.
const MOST_DIMENSIONS: usize = 4;

/// The type of the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "BOOL" => Datatype::Bool,
            "UINT8" => Datatype::Uint8,
            "UINT16" => Datatype::Uint16,
            "UINT32" => Datatype::Uint32,
            "UINT64" => Datatype::Uint64,
            "INT8" => Datatype::Int8,
            "INT16" => Datatype::Int16,
            "INT32" => Datatype::Int32,
            "INT64" => Datatype::Int64,
            "FP16" => Datatype::Fp16,
            "BF16" => Datatype::Bf16,
            "FP32" => Datatype::Fp32,
            "FP64" => Datatype::Fp64,
            "BYTES" => Datatype::Bytes,
            _ => return None,
        })
    }

    /// Bytes of a value in binary; those of BYTES say their length.
    fn width(self) -> Option<usize> {
        Some(match self {
            Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => 1,
            Datatype::Uint16 | Datatype::Int16 | Datatype::Fp16 | Datatype::Bf16 => 2,
            Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => 4,
            Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => 8,
            Datatype::Bytes => return None,
        })
    }
}

/// A tensor of a request.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) datatype: Datatype,
    pub(super) data: Data<'a>,
}

/// Where the values of a tensor stand.
#[derive(Debug)]
pub(super) enum Data<'a> {
    /// In the document, flat or nested as the shape says.
    Json(JsonReader<'a>),
    /// Behind the document.
    Binary(&'a [u8]),
}

/// Where values go: all to one column, or in turn to columns of these positions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A column that nobody reads.
    Nowhere,
    Column(usize),
    /// Row after row, a value for each of so many columns.
    Columns(usize),
}

impl Target {
    fn position(self, index: usize) -> Option<usize> {
        match self {
            Target::Nowhere => None,
            Target::Column(position) => Some(position),
            Target::Columns(width) => Some(index % width),
        }
    }
}

impl Tensor<'_> {
    fn refusal(&self, message: &str) -> Box<Refusal> {
        Refusal::bad("bad_tensor", format!("the tensor `{}`: {message}", self.name)).in_column(&self.name)
    }

    /// Number of values that the shape says.
    ///
    /// # Errors
    /// If the shape has no or too many dimensions, or more values than can be.
    pub(super) fn size(&self) -> Answer<usize> {
        if self.shape.is_empty() || self.shape.len() > MOST_DIMENSIONS {
            return Err(self.refusal("its shape must be [rows] or [rows, 1]"));
        }
        let size = self.shape.iter().try_fold(1usize, |size, &n| size.checked_mul(n));
        size.ok_or_else(|| self.refusal("its shape is larger than any memory"))
    }

    /// Hands every value over.
    ///
    /// # Errors
    /// If the values are not as many as the shape says, or not of the type.
    pub(super) fn fill(self, builder: &mut RowBuilder<'_>, target: Target) -> Answer<()> {
        let size = self.size()?;
        match &self.data {
            Data::Json(reader) => self.fill_json(reader.clone(), builder, (target, size)),
            Data::Binary(bytes) => self.fill_binary(bytes, builder, (target, size)),
        }
    }

    fn fill_json(
        &self,
        reader: JsonReader<'_>,
        builder: &mut RowBuilder<'_>,
        (target, size): (Target, usize),
    ) -> Answer<()> {
        let (mut reader, mut count) = (reader, 0);
        let mut scratch = String::new();
        self.walk(&mut reader, 0, &mut |reader| {
            let value = reader.value(&mut scratch)?;
            let is_fit = match (self.datatype, value) {
                (_, JsonValue::Null) => true,
                (Datatype::Bytes, JsonValue::String(_)) => true,
                (Datatype::Bool, JsonValue::Boolean(_)) => true,
                (Datatype::Bytes | Datatype::Bool, _) => false,
                (_, JsonValue::Number(_)) => true,
                _ => false,
            };
            if !is_fit {
                return Err(self.refusal("a value is not of the datatype; BYTES are strings, BOOL is true or false"));
            }
            if count < size
                && let Some(position) = target.position(count)
            {
                builder.push(position, value);
            }
            count += 1;
            Ok(())
        })?;
        match count == size {
            true => Ok(()),
            false => Err(self.refusal(&format!("it has {count} values, its shape says {size}"))),
        }
    }

    fn walk(
        &self,
        reader: &mut JsonReader<'_>,
        depth: usize,
        take: &mut dyn FnMut(&mut JsonReader<'_>) -> Answer<()>,
    ) -> Answer<()> {
        if depth > MOST_DIMENSIONS {
            return Err(self.refusal("its data lies deeper than its shape"));
        }
        reader.array(|reader| match reader.kind()? {
            Some(JsonKind::Array) => self.walk(reader, depth + 1, take),
            _ => take(reader),
        })
    }

    fn fill_binary(&self, bytes: &[u8], builder: &mut RowBuilder<'_>, (target, size): (Target, usize)) -> Answer<()> {
        let Some(width) = self.datatype.width() else {
            return self.fill_texts(bytes, builder, (target, size));
        };
        if size.checked_mul(width) != Some(bytes.len()) {
            let message = format!("{} bytes are there for {size} values of {width} bytes", bytes.len());
            return Err(self.refusal(&message));
        }
        if matches!(target, Target::Nowhere) {
            return Ok(());
        }
        for (index, value) in bytes.chunks_exact(width).enumerate() {
            let Some(position) = target.position(index) else { continue };
            push_binary(builder, position, self.datatype, value);
        }
        Ok(())
    }

    /// Texts, each behind its length in four bytes.
    fn fill_texts(&self, bytes: &[u8], builder: &mut RowBuilder<'_>, (target, size): (Target, usize)) -> Answer<()> {
        let mut rest = bytes;
        for index in 0..size {
            let cut_off = || self.refusal("its texts are cut off");
            let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
            let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_off)?;
            rest = after;
            let text = std::str::from_utf8(text).map_err(|_| self.refusal(&format!("text {index} is no UTF-8")))?;
            if let Some(position) = target.position(index) {
                builder.push(position, JsonValue::String(text));
            }
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(self.refusal("there are more bytes than its shape says")),
        }
    }
}

/// Appends a value in binary, little-endian. `value` has the width of the type.
fn push_binary(builder: &mut RowBuilder<'_>, position: usize, datatype: Datatype, value: &[u8]) {
    let mut wide = [0; 8];
    wide[..value.len()].copy_from_slice(value);
    let bits = u64::from_le_bytes(wide);
    match datatype {
        Datatype::Fp64 => builder.push_float(position, f64::from_bits(bits)),
        Datatype::Fp32 => builder.push_float(position, f64::from(f32::from_bits(bits as u32))),
        Datatype::Bf16 => builder.push_float(position, f64::from(f32::from_bits((bits as u32) << 16))),
        Datatype::Fp16 => builder.push_float(position, half(bits as u16)),
        Datatype::Bool => builder.push(position, JsonValue::Boolean(bits != 0)),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => builder.push_integer(position, bits as i64),
        Datatype::Uint64 => match i64::try_from(bits) {
            Ok(value) => builder.push_integer(position, value),
            Err(_) => builder.push(position, JsonValue::Number(&bits.to_string())),
        },
        Datatype::Int8 => builder.push_integer(position, i64::from(bits as u8 as i8)),
        Datatype::Int16 => builder.push_integer(position, i64::from(bits as u16 as i16)),
        Datatype::Int32 => builder.push_integer(position, i64::from(bits as u32 as i32)),
        Datatype::Int64 => builder.push_integer(position, bits as i64),
        Datatype::Bytes => unreachable!("invariant: texts have no width"),
    }
}

/// A number of 16 bits (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    // Powers of two are exact.
    let scaled = |power: i32| 2f64.powi(power);
    match exponent {
        0 => sign * fraction * scaled(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1024.0 + fraction) * scaled(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_the_standard_says() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x3555, 0.333_251_953_125),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits).to_bits(), f64::to_bits(value), "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
