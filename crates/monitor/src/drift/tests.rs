//! What drift finds in tables.
