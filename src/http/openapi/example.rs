//! Examples of whole bodies, composed from those of their fields.

use serde_json::{Map, Value, json};

/// The depth limit, for schemas that contain themselves; none of our bodies is this deep.
const DEEPEST: usize = 32;

/// Adds an example to each body of `document` that has a schema but no example.
pub(super) fn complete(document: &mut Value) {
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    let operations = document.get_mut("paths").and_then(Value::as_object_mut);
    for operation in operations.into_iter().flat_map(Map::values_mut).flat_map(values_mut) {
        let body = operation.get_mut("requestBody").and_then(|body| body.get_mut("content"));
        body.into_iter().flat_map(values_mut).for_each(|content| fill(content, &schemas));
        let responses = operation.get_mut("responses").into_iter().flat_map(values_mut);
        let contents = responses.filter_map(|response| response.get_mut("content")).flat_map(values_mut);
        contents.for_each(|content| fill(content, &schemas));
    }
}

fn values_mut(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

fn fill(content: &mut Value, schemas: &Value) {
    let Some(content) = content.as_object_mut() else { return };
    if content.contains_key("example") || content.contains_key("examples") {
        return;
    }
    let Some(schema) = content.get("schema") else { return };
    let example = of(schema, schemas, DEEPEST);
    // An arbitrary text or value would not be informative.
    if example.is_object() || example.is_array() {
        content.insert("example".to_owned(), example);
    }
}

/// An example for `schema`; `schemas` are those that it may refer to.
fn of(schema: &Value, schemas: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let inner = |schema: &Value| of(schema, schemas, depth - 1);
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next()) {
        return schemas.get(name).map(inner).unwrap_or_default();
    }
    let first = |list: &str| schema.get(list).and_then(Value::as_array)?.first().cloned();
    let said = schema
        .get("example")
        .cloned()
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default").cloned());
    if let Some(said) = said.or_else(|| first("enum")).or_else(|| schema.get("const").cloned()) {
        return said;
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts.iter().map(inner) {
            whole.extend(part.as_object().cloned().unwrap_or_default());
        }
        return Value::Object(whole);
    }
    if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        let something = choices.iter().find(|choice| choice.get("type") != Some(&json!("null")));
        return something.map(inner).unwrap_or_default();
    }
    match type_of(schema) {
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array);
            let needed = |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
            // An optional text without an example would only be noise.
            let shown = |(name, schema): &(&String, &Value)| {
                needed(name) || type_of(schema) != Some("string") || schema.get("example").is_some()
            };
            let properties = schema.get("properties").and_then(Value::as_object);
            let members = properties.into_iter().flatten().filter(shown);
            let members = members.map(|(name, schema)| (name.clone(), inner(schema)));
            Value::Object(members.collect())
        }
        Some("array") => schema.get("items").map(|items| json!([inner(items)])).unwrap_or_default(),
        Some("string") => json!("…"),
        Some("integer" | "number") => json!(schema.get("minimum").cloned().unwrap_or_else(|| json!(1))),
        Some("boolean") => json!(false),
        _ => Value::Null,
    }
}

/// The type that is not `null`.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    }
}
