//! The model file: one safetensors container with a JSON manifest and tensors, which is data and not code.
//!
//! [`Artifact::write_to`] writes it, [`Artifact::from_bytes`] believes nothing: the checksum of the whole file comes
//! first, then every size, index and version. The layout is described byte by byte in the guide, page "The model file".

mod canonical;
mod reference;
mod stored;
mod tensors;

pub use tensors::{Tensor, Tensors};

use std::collections::HashMap;
use std::io::Write;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Value, json};
use tabwright_core::Table;

use crate::error::{Error, Result};
use crate::evidence::{Evidence, Record};
use crate::model::Model;

/// Version of the file format that is written.
pub const FORMAT: u64 = 1;
/// Least version of a reader that can read what is written.
pub const LEAST_READER: u64 = 1;
/// The one metadata key.
const MANIFEST: &str = "tabwright";
/// The last tensor: sorted after all others, since it is of bytes and `~` is above every letter.
const CHECKSUM: &str = "~checksum";
const CHECKSUM_BYTES: usize = 32;

/// A model with what is known about it.
#[derive(Debug, Clone)]
pub struct Artifact {
    model: Model,
    content_id: String,
    /// What was measured.
    pub evidence: Evidence,
    /// When and where.
    pub record: Record,
    reference: Option<Table>,
}

impl Artifact {
    /// Puts a model and what is known about it together; the evidence is given the model's content id.
    pub fn new(model: Model, mut evidence: Evidence, record: Record) -> Self {
        let content_id = content_id(&model);
        evidence.content_id.clone_from(&content_id);
        Artifact { model, content_id, evidence, record, reference: None }
    }

    /// Adds rows that others can be held against: a sample of those that the model was fitted on, as it reads them.
    #[must_use]
    pub fn with_reference(mut self, rows: Table) -> Self {
        self.reference = Some(rows);
        self
    }

    /// The rows that others can be held against, where some were kept.
    pub fn reference(&self) -> Option<&Table> {
        self.reference.as_ref()
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// `blake3:` and 64 hexadecimal digits: the name of the model's content.
    pub fn content_id(&self) -> &str {
        &self.content_id
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the model is too large for the container's header.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the bytes of the file, of which at no time there is a whole copy.
    ///
    /// # Errors
    /// [`Error::Write`] if they cannot be written, [`Error::Invalid`] if the model is too large for the container's header.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<()> {
        let (model, mut tensors) = stored::store(&self.model);
        let json = |part: serde_json::Result<Value>| part.map_err(|e| Error::Invalid(e.to_string()));
        let mut manifest = json!({
            "format": FORMAT,
            "reader": LEAST_READER,
            "content_id": self.content_id,
            "model": model,
            "evidence": json(serde_json::to_value(&self.evidence))?,
            "record": json(serde_json::to_value(&self.record))?,
        });
        if let Some(rows) = &self.reference {
            manifest["reference"] = reference::store(rows, &mut tensors);
        }
        let header = header(&manifest, &tensors)?;
        let mut hasher = blake3::Hasher::new();
        let mut write = |bytes: &[u8]| {
            hasher.update(bytes);
            out.write_all(bytes).map_err(Error::Write)
        };
        write(&(header.len() as u64).to_le_bytes())?;
        write(&header)?;
        in_file_order(&tensors).into_iter().try_for_each(|(_, tensor)| write(tensor.bytes()))?;
        out.write_all(hasher.finalize().as_bytes()).map_err(Error::Write)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::Damaged`], [`Error::TooNew`] or [`Error::Invalid`]; every flipped bit is found.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::Damaged(what.to_owned());
        if !looks_like_container(bytes) {
            return Err(Error::NotAModel("it does not begin like one (a model is named before the data)".into()));
        }
        let body = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(|| damaged("it is too short"))?;
        if blake3::hash(&bytes[..body]).as_bytes() != &bytes[body..] {
            return Err(foreign_or_damaged(bytes));
        }
        let container = safetensors::SafeTensors::deserialize(bytes)
            .map_err(|e| Error::Damaged(format!("its header cannot be read ({e})")))?;
        let (_, header) = safetensors::SafeTensors::read_metadata(bytes)
            .map_err(|e| Error::Damaged(format!("its header cannot be read ({e})")))?;
        let manifest = header.metadata().as_ref().and_then(|m| m.get(MANIFEST));
        let manifest = manifest.ok_or_else(|| Error::NotAModel("its header has no Tabwright manifest".into()))?;
        let manifest: Value =
            serde_json::from_str(manifest).map_err(|e| Error::Damaged(format!("its manifest is no JSON ({e})")))?;
        check_version(&manifest)?;
        let mut tensors = Tensors::default();
        for (name, view) in container.tensors() {
            if name != CHECKSUM {
                tensors.insert(name, Tensor::from_view(&view)?);
            } else if view.shape() != [CHECKSUM_BYTES] {
                return Err(damaged("its checksum has another size"));
            }
        }
        let model = stored::load(&manifest["model"], &mut tensors)?;
        let reference =
            manifest.get("reference").map(|stored| reference::load(stored, &model, &mut tensors)).transpose()?;
        if let Some((name, _)) = tensors.iter().next() {
            return Err(Error::Invalid(format!("the tensor `{name}` belongs to no part of the model")));
        }
        let part = |name: &str| manifest.get(name).cloned().ok_or_else(|| Error::Invalid(format!("it has no {name}")));
        let evidence: Evidence =
            serde_json::from_value(part("evidence")?).map_err(|e| Error::Invalid(format!("its evidence: {e}")))?;
        let record: Record =
            serde_json::from_value(part("record")?).map_err(|e| Error::Invalid(format!("its record: {e}")))?;
        let content_id = content_id(&model);
        if manifest["content_id"] != content_id || evidence.content_id != content_id {
            return Err(Error::Invalid("its content id is not that of its content".into()));
        }
        Ok(Artifact { model, content_id, evidence, record, reference })
    }
}

/// The content id of a model: BLAKE3 of its canonical form.
pub fn content_id(model: &Model) -> String {
    let (manifest, tensors) = stored::store(model);
    format!("blake3:{}", canonical::digest(&manifest, &tensors).to_hex())
}

/// Tensors as they follow each other in the container: those of wide numbers first, so that all are aligned, then by name.
fn in_file_order(tensors: &Tensors) -> Vec<(&str, &Tensor)> {
    let mut order: Vec<(&str, &Tensor)> = tensors.iter().collect();
    order.sort_by(|(a, x), (b, y)| y.dtype().cmp(&x.dtype()).then(a.cmp(b)));
    order
}

/// The container's header, padded with spaces so that the tensors are aligned.
fn header(manifest: &Value, tensors: &Tensors) -> Result<Vec<u8>> {
    let invalid = |e: String| Error::Invalid(e);
    let mut end = 0;
    let mut describe = |dtype: Dtype, shape: &[usize], n_bytes: usize| {
        let start = end;
        end += n_bytes;
        TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, end) }
    };
    let mut infos: Vec<(String, TensorInfo)> = in_file_order(tensors)
        .into_iter()
        .map(|(name, tensor)| (name.to_owned(), describe(tensor.dtype(), tensor.shape(), tensor.bytes().len())))
        .collect();
    infos.push((CHECKSUM.to_owned(), describe(Dtype::U8, &[CHECKSUM_BYTES], CHECKSUM_BYTES)));
    let metadata = HashMap::from([(MANIFEST.to_owned(), manifest.to_string())]);
    let metadata = Metadata::new(Some(metadata), infos).map_err(|e| invalid(e.to_string()))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| invalid(e.to_string()))?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    if header.len() as u64 > LARGEST_HEADER {
        return Err(invalid(format!("its header has {} bytes, the container allows {LARGEST_HEADER}", header.len())));
    }
    Ok(header)
}

/// Bytes that the header is a multiple of.
const ALIGNMENT: usize = 8;
/// The largest header that the container allows.
const LARGEST_HEADER: u64 = 100_000_000;

/// A plausible length, and a JSON object: told apart from a damaged model so that the message helps.
fn looks_like_container(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    (2..=LARGEST_HEADER).contains(&u64::from_le_bytes(*length)) && rest.first() == Some(&b'{')
}

fn foreign_or_damaged(bytes: &[u8]) -> Error {
    match safetensors::SafeTensors::read_metadata(bytes) {
        Ok((_, m)) if !m.metadata().as_ref().is_some_and(|m| m.contains_key(MANIFEST)) => {
            Error::NotAModel("it is a safetensors file of another program".into())
        }
        _ => Error::Damaged("its checksum does not match, so it was changed or cut off".into()),
    }
}

fn check_version(manifest: &Value) -> Result<()> {
    let number =
        |key: &str| manifest[key].as_u64().ok_or_else(|| Error::Invalid(format!("its manifest has no `{key}` number")));
    let (format, reader) = (number("format")?, number("reader")?);
    if reader > FORMAT {
        return Err(Error::TooNew(format!(
            "it has format {format} and needs a reader of format {reader}, this one reads up to {FORMAT}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
