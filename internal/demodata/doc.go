// Package demodata makes the input that the demo works on: images and a database of sales. The same arguments give the
// same data.
package demodata
