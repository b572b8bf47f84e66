//! Named arrays of numbers, as the container keeps them: little-endian, with type and shape.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use tabwright_core::{Levels, numeric};

use crate::error::{Error, Result};

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    /// Numbers, in one dimension; −0 and NaN are made canonical.
    pub fn f64(values: impl IntoIterator<Item = impl Borrow<f64>>) -> Self {
        let words = values.into_iter().map(|v| numeric::canonical(*v.borrow()).to_le_bytes());
        Tensor::of_words(Dtype::F64, words)
    }

    /// 32-bit whole numbers, in one dimension.
    pub fn u32(values: impl IntoIterator<Item = impl Borrow<u32>>) -> Self {
        Tensor::of_words(Dtype::U32, values.into_iter().map(|v| v.borrow().to_le_bytes()))
    }

    /// 64-bit whole numbers, in one dimension.
    pub fn u64(values: impl IntoIterator<Item = impl Borrow<u64>>) -> Self {
        Tensor::of_words(Dtype::U64, values.into_iter().map(|v| v.borrow().to_le_bytes()))
    }

    /// Bytes, in one dimension.
    pub fn u8(values: impl IntoIterator<Item = impl Borrow<u8>>) -> Self {
        Tensor::of_words(Dtype::U8, values.into_iter().map(|v| [*v.borrow()]))
    }

    fn of_words<const N: usize>(dtype: Dtype, words: impl Iterator<Item = [u8; N]>) -> Self {
        let mut bytes = Vec::with_capacity(words.size_hint().0 * N);
        words.for_each(|word| bytes.extend_from_slice(&word));
        Tensor { dtype, shape: vec![bytes.len() / N], bytes }
    }

    /// The same numbers, row-major, in other dimensions.
    ///
    /// # Panics
    /// If there are more or fewer than those dimensions hold.
    #[must_use]
    pub fn shaped(self, shape: Vec<usize>) -> Self {
        let count = |shape: &[usize]| shape.iter().product::<usize>();
        assert_eq!(count(&shape), count(&self.shape), "invariant: a tensor holds as many numbers as its shape");
        Tensor { shape, ..self }
    }

    pub(super) fn from_view(view: &TensorView<'_>) -> Result<Self> {
        match view.dtype() {
            Dtype::F64 | Dtype::U64 | Dtype::U32 | Dtype::U8 => {
                Ok(Tensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() })
            }
            other => Err(Error::Invalid(format!("a tensor has the type {other:?}; allowed: F64, U64, U32, U8"))),
        }
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The type as the container names it.
    pub fn type_name(&self) -> &'static str {
        match self.dtype {
            Dtype::F64 => "F64",
            Dtype::U64 => "U64",
            Dtype::U32 => "U32",
            _ => "U8",
        }
    }

    /// Sizes of the dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers, little-endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn words<const N: usize>(&self, dtype: Dtype) -> Result<impl Iterator<Item = [u8; N]>> {
        if self.dtype != dtype {
            return Err(Error::Invalid(format!("a tensor has the type {:?} where {dtype:?} is needed", self.dtype)));
        }
        let word = |c: &[u8]| c.try_into().expect("invariant: chunks have N bytes");
        Ok(self.bytes.chunks_exact(N).map(word))
    }

    /// The values of an F64 tensor.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another type.
    pub fn to_f64(&self) -> Result<Vec<f64>> {
        Ok(self.words(Dtype::F64)?.map(f64::from_le_bytes).collect())
    }

    /// The values of a U32 tensor.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another type.
    pub fn to_u32(&self) -> Result<Vec<u32>> {
        Ok(self.words(Dtype::U32)?.map(u32::from_le_bytes).collect())
    }

    /// The values of a U64 tensor.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another type.
    pub fn to_u64(&self) -> Result<Vec<u64>> {
        Ok(self.words(Dtype::U64)?.map(u64::from_le_bytes).collect())
    }

    /// The values of a U8 tensor.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another type.
    pub fn to_u8(&self) -> Result<Vec<u8>> {
        Ok(self.words::<1>(Dtype::U8)?.map(|[b]| b).collect())
    }
}

/// Tensors by name, in byte order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors(BTreeMap<String, Tensor>);

impl Tensors {
    /// Adds a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.insert(name.into(), tensor);
    }

    /// Takes a tensor out.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is none of that name.
    pub fn take(&mut self, name: &str) -> Result<Tensor> {
        self.0.remove(name).ok_or_else(|| Error::Invalid(format!("the tensor `{name}` is missing")))
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and tensors, in byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(n, t)| (n.as_str(), t))
    }

    /// Adds strings as two tensors: their bytes one after the other, and where each ends.
    pub fn insert_levels(&mut self, name: &str, levels: &Levels) {
        let mut text = Vec::new();
        let mut ends = Vec::with_capacity(levels.len());
        for level in levels.iter() {
            text.extend_from_slice(level.as_bytes());
            ends.push(text.len() as u64);
        }
        self.insert(format!("{name}.text"), Tensor::u8(&text));
        self.insert(format!("{name}.ends"), Tensor::u64(&ends));
    }

    /// Takes strings out; they must be valid UTF-8, distinct and in byte order.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what is wrong with them.
    pub fn take_levels(&mut self, name: &str) -> Result<Vec<String>> {
        let text = self.take(&format!("{name}.text"))?.to_u8()?;
        let ends = self.take(&format!("{name}.ends"))?.to_u64()?;
        let invalid = |what: &str| Error::Invalid(format!("the strings `{name}` {what}"));
        let mut strings: Vec<String> = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            let end = usize::try_from(end).map_err(|_| invalid("end beyond their bytes"))?;
            let slice = text.get(start..end).ok_or_else(|| invalid("end beyond their bytes"))?;
            let string = std::str::from_utf8(slice).map_err(|_| invalid("are not UTF-8"))?.to_owned();
            if strings.last().is_some_and(|last| *last >= string) {
                return Err(invalid("are not in order"));
            }
            strings.push(string);
            start = end;
        }
        if start == text.len() { Ok(strings) } else { Err(invalid("do not use all of their bytes")) }
    }
}
