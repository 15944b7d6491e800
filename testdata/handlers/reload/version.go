package main

// version is what a test edits.
const version = "v0"
