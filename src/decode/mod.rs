//! Bytes as a source has them → buffers of whole records of one table.
