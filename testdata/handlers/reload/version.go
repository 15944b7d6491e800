package main

// version is what the test edits.
const version = "v0"
