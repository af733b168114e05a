//! Card placeholder.
