//! What people declare: the kinds, how manifests are loaded and checked, and the schemas that editors and Kubernetes
//! use.

pub mod kinds;
