//! The canonical form of a model: the bytes whose BLAKE3 hash is its content id.
//!
//! `"tabwright model\n"`, then the manifest as JSON with sorted keys and no white space, then the tensors in the byte
//! order of their names: name, type, shape, bytes. Every length is a little-endian `u64` before what it counts.

use serde_json::Value;

use super::Tensors;

const MAGIC: &[u8] = b"tabwright model\n";

/// Hashes the canonical form.
pub(super) fn digest(manifest: &Value, tensors: &Tensors) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MAGIC);
    // serde_json's map is a BTreeMap, so keys come sorted by bytes.
    counted(&mut hasher, manifest.to_string().as_bytes());
    number(&mut hasher, tensors.len());
    for (name, tensor) in tensors.iter() {
        counted(&mut hasher, name.as_bytes());
        counted(&mut hasher, tensor.type_name().as_bytes());
        number(&mut hasher, tensor.shape().len());
        for &size in tensor.shape() {
            number(&mut hasher, size);
        }
        counted(&mut hasher, tensor.bytes());
    }
    hasher.finalize()
}

fn number(hasher: &mut blake3::Hasher, value: usize) {
    hasher.update(&(value as u64).to_le_bytes());
}

fn counted(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    number(hasher, bytes.len());
    hasher.update(bytes);
}
