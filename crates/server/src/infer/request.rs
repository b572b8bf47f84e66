//! A request of the protocol: a JSON document, behind it the binary tensors.

use tabwright_core::Block;
use tabwright_data::{JsonKind, JsonReader, JsonValue, RowBuilder};

use super::answer::{PREDICTION, PROBABILITIES};
use super::tensor::{Data, Datatype, Target, Tensor};
use crate::id;
use crate::model::Served;
use crate::native::{check_columns, described, utf8};
use crate::options::Limits;
use crate::refusal::{Answer, Refusal};

/// What is asked.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Option<String>,
    pub(super) block: Block,
    /// The outputs that are wanted, and whether in binary.
    pub(super) outputs: Vec<(&'static str, bool)>,
}

/// Reads the header with the length of the document.
pub(super) fn header_length(header: Option<&str>) -> Answer<Option<usize>> {
    let Some(text) = header else { return Ok(None) };
    let length = text.parse().map_err(|_| {
        Refusal::bad(
            "bad_header",
            "the header `Inference-Header-Content-Length` must be the bytes of the JSON document",
        )
    })?;
    Ok(Some(length))
}

/// A tensor that is being read.
#[derive(Default)]
struct Draft<'a> {
    name: Option<String>,
    shape: Option<Vec<usize>>,
    datatype: Option<Datatype>,
    data: Option<JsonReader<'a>>,
    binary_size: Option<usize>,
}

/// What a document says.
#[derive(Default)]
struct Document<'a> {
    id: Option<String>,
    tensors: Vec<Draft<'a>>,
    outputs: Option<Vec<(&'static str, Option<bool>)>>,
    all_binary: bool,
}

/// Reads a request for a model.
pub(super) fn read(served: &Served, bytes: &[u8], header_length: Option<usize>, limits: &Limits) -> Answer<Request> {
    let (header, binary) = match header_length {
        Some(length) => bytes.split_at_checked(length).ok_or_else(|| {
            Refusal::bad("bad_header", "the header `Inference-Header-Content-Length` says more bytes than the body has")
        })?,
        None => (bytes, &[][..]),
    };
    let document = parse(utf8(header)?, served, limits)?;
    let tensors = with_data(document.tensors, binary)?;
    let block = block_of(served, tensors, limits)?;
    let is_binary = |own: Option<bool>| own.unwrap_or(document.all_binary);
    let outputs = match document.outputs {
        Some(outputs) => outputs.into_iter().map(|(name, own)| (name, is_binary(own))).collect(),
        None if served.labels.is_empty() => vec![(PREDICTION, is_binary(None))],
        None => vec![(PREDICTION, is_binary(None)), (PROBABILITIES, is_binary(None))],
    };
    Ok(Request { id: document.id, block, outputs })
}

fn parse<'a>(text: &'a str, served: &Served, limits: &Limits) -> Answer<Document<'a>> {
    let mut reader = JsonReader::lenient(text);
    match reader.kind()? {
        None => return Err(Refusal::bad("empty_body", "the body is empty; a JSON document with `inputs` is needed")),
        Some(JsonKind::Object) => {}
        Some(other) => {
            let message = format!("the body is {}, not a JSON object with `inputs`", other.name());
            return Err(Refusal::bad("bad_json", message));
        }
    }
    let mut document = Document::default();
    let mut has_inputs = false;
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        match key {
            "id" => document.id = Some(request_id(reader)?),
            "inputs" if has_inputs => return Err(Refusal::bad("bad_json", "`inputs` is there twice")),
            "inputs" => {
                has_inputs = true;
                reader.array(|reader| {
                    if document.tensors.len() == limits.columns {
                        return Err(Refusal::too_large(format!("there are at most {} inputs", limits.columns)));
                    }
                    document.tensors.push(draft(reader)?);
                    Ok(())
                })?;
            }
            "outputs" => {
                let mut outputs = Vec::new();
                reader.array(|reader| {
                    outputs.push(output(reader, served)?);
                    Ok::<_, Box<Refusal>>(())
                })?;
                // None named is all.
                document.outputs = Some(outputs).filter(|outputs| !outputs.is_empty());
            }
            "parameters" => {
                if let Some(binary) = flag_of(reader, "binary_data_output")? {
                    document.all_binary = binary;
                }
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    reader.end("something follows the document; where that is binary, the header `Inference-Header-Content-Length` must say so")?;
    if document.tensors.is_empty() {
        return Err(Refusal::bad("no_rows", "the document has no `inputs`; one tensor for each column is needed"));
    }
    Ok(document)
}

fn request_id(reader: &mut JsonReader<'_>) -> Answer<String> {
    let mut scratch = String::new();
    match reader.value(&mut scratch)? {
        JsonValue::String(text) if id::is_valid(text) => Ok(text.to_owned()),
        // Some clients send an empty one.
        JsonValue::String("") => Ok(String::new()),
        _ => Err(Refusal::bad("bad_json", format!("`id` must be a text of at most {} characters", id::LONGEST))),
    }
}

/// The flag of this name among parameters, if it is there.
fn flag_of(reader: &mut JsonReader<'_>, name: &str) -> Answer<Option<bool>> {
    let mut found = None;
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        match (key == name, reader.kind()?) {
            (true, Some(JsonKind::Boolean)) => {
                found = Some(reader.value(&mut String::new())? == JsonValue::Boolean(true));
                Ok(())
            }
            (true, _) => Err(Refusal::bad("bad_json", format!("the parameter `{name}` must be true or false"))),
            (false, _) => Ok(reader.skip()?),
        }
    })?;
    Ok(found)
}

fn text(reader: &mut JsonReader<'_>, what: &str) -> Answer<String> {
    let mut scratch = String::new();
    match reader.value(&mut scratch)? {
        JsonValue::String(text) => Ok(text.to_owned()),
        _ => Err(Refusal::bad("bad_json", format!("{what} must be a text"))),
    }
}

fn count(reader: &mut JsonReader<'_>, what: &str) -> Answer<usize> {
    let mut scratch = String::new();
    let number = match reader.value(&mut scratch)? {
        JsonValue::Number(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Refusal::bad("bad_json", format!("{what} must be a whole number from 0 on")))
}

fn draft<'a>(reader: &mut JsonReader<'a>) -> Answer<Draft<'a>> {
    let mut draft = Draft::default();
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        match key {
            "name" => draft.name = Some(text(reader, "the name of a tensor")?),
            "datatype" => {
                let text = text(reader, "the datatype of a tensor")?;
                let datatype = Datatype::parse(&text).ok_or_else(|| {
                    let shown: String = text.chars().take(20).collect();
                    let known = "BOOL, UINT8 … UINT64, INT8 … INT64, FP16, BF16, FP32, FP64, BYTES";
                    Refusal::bad("bad_tensor", format!("there is no datatype `{shown}`; there are {known}"))
                })?;
                draft.datatype = Some(datatype);
            }
            "shape" => {
                let mut shape = Vec::new();
                reader.array(|reader| -> Answer<()> {
                    shape.push(count(reader, "each number of a shape")?);
                    Ok(())
                })?;
                draft.shape = Some(shape);
            }
            "data" => {
                if reader.kind()? != Some(JsonKind::Array) {
                    return Err(Refusal::bad("bad_tensor", "the data of a tensor must be an array"));
                }
                draft.data = Some(reader.clone());
                reader.skip()?;
            }
            "parameters" => {
                reader.object(&mut String::new(), |reader, key| -> Answer<()> {
                    match key {
                        "binary_data_size" => draft.binary_size = Some(count(reader, "`binary_data_size`")?),
                        _ => reader.skip()?,
                    }
                    Ok(())
                })?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(draft)
}

fn output(reader: &mut JsonReader<'_>, served: &Served) -> Answer<(&'static str, Option<bool>)> {
    let (mut name, mut binary) = (None, None);
    reader.object(&mut String::new(), |reader, key| -> Answer<()> {
        match key {
            "name" => name = Some(text(reader, "the name of an output")?),
            "parameters" => binary = flag_of(reader, "binary_data")?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    match name.as_deref() {
        Some(PREDICTION) => Ok((PREDICTION, binary)),
        Some(PROBABILITIES) if !served.labels.is_empty() => Ok((PROBABILITIES, binary)),
        other => {
            let shown: String = other.unwrap_or_default().chars().take(80).collect();
            let known =
                if served.labels.is_empty() { PREDICTION.to_owned() } else { format!("{PREDICTION}, {PROBABILITIES}") };
            Err(Refusal::bad("unknown_output", format!("there is no output `{shown}`; there are: {known}")))
        }
    }
}

/// Gives each tensor its values.
fn with_data<'a>(drafts: Vec<Draft<'a>>, binary: &'a [u8]) -> Answer<Vec<Tensor<'a>>> {
    let mut rest = binary;
    let mut tensors: Vec<Tensor<'a>> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let name = draft.name.ok_or_else(|| Refusal::bad("bad_tensor", "a tensor has no name"))?;
        let lacks =
            |what: &str| Refusal::bad("bad_tensor", format!("the tensor `{name}` has no {what}")).in_column(&name);
        let shape = draft.shape.ok_or_else(|| lacks("shape"))?;
        let datatype = draft.datatype.ok_or_else(|| lacks("datatype"))?;
        let data = match (draft.data, draft.binary_size) {
            (Some(reader), None) => Data::Json(reader),
            (None, Some(size)) => {
                let (own, after) = rest.split_at_checked(size).ok_or_else(|| {
                    let message = format!("the tensor `{name}` has {size} bytes, {} are left of the body", rest.len());
                    Refusal::bad("bad_tensor", message).in_column(&name)
                })?;
                rest = after;
                Data::Binary(own)
            }
            (Some(_), Some(_)) => {
                return Err(lacks("one place for its values: both `data` and `binary_data_size` are there"));
            }
            (None, None) => return Err(lacks("data")),
        };
        tensors.push(Tensor { name, shape, datatype, data });
    }
    match rest.is_empty() {
        true => Ok(tensors),
        false => Err(Refusal::bad("bad_tensor", format!("{} bytes of the body belong to no tensor", rest.len()))),
    }
}

fn block_of(served: &Served, tensors: Vec<Tensor<'_>>, limits: &Limits) -> Answer<Block> {
    let width = served.expected.len();
    let mut builder = RowBuilder::new(&served.shape, &[], 1);
    let n_rows = tensors[0].shape.first().copied().unwrap_or(0);
    if n_rows > limits.rows {
        return Err(Refusal::too_large(format!("a request has at most {} rows; send fewer at a time", limits.rows)));
    }
    let is_whole =
        tensors.len() == 1 && served.shape.position(&tensors[0].name).is_none() && tensors[0].shape.len() == 2;
    let mut names: Vec<String> = Vec::with_capacity(tensors.len());
    let mut seen = std::collections::HashSet::with_capacity(tensors.len());
    for tensor in tensors {
        let target = match served.shape.position(&tensor.name) {
            Some(position) => Target::Column(position),
            // One matrix: its columns are those of the model, in their order.
            None if is_whole => Target::Columns(width),
            None => Target::Nowhere,
        };
        let refuse = |message: String| Refusal::bad("bad_shape", message).in_column(&tensor.name);
        if matches!(target, Target::Columns(_)) && tensor.shape[1] != width {
            let message = format!(
                "the tensor `{}` is no column of the model, and as a matrix it has {} columns where the model reads {width}",
                tensor.name, tensor.shape[1]
            );
            return Err(refuse(message));
        }
        let expected = if is_whole { n_rows.checked_mul(width) } else { Some(n_rows) };
        if tensor.shape.first() != Some(&n_rows) || Some(tensor.size()?) != expected {
            let message = format!(
                "the tensor `{}` has the shape {:?}; [{n_rows}] or [{n_rows}, 1] is needed, one value for each row",
                tensor.name, tensor.shape
            );
            return Err(refuse(message));
        }
        if !seen.insert(tensor.name.clone()) {
            return Err(refuse(format!("the tensor `{}` is there twice", tensor.name)));
        }
        names.push(tensor.name.clone());
        tensor.fill(&mut builder, target)?;
    }
    builder.remember(&names);
    builder.end_columns(n_rows);
    check_columns(&builder)?;
    let rows = builder.finish().map_err(|e| Refusal::internal(&e))?;
    // Tensors have no place for what is wrong with a row.
    match rows.bad.first() {
        None => Ok(rows.block),
        Some(bad) => {
            let refusal = Refusal::unusable("bad_row", described(bad.row, bad));
            Err(match &bad.column {
                Some(column) => refusal.in_column(column),
                None => refusal,
            })
        }
    }
}
