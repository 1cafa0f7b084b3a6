// Package test holds what is deployed to what the program really is: every rendered object is
// decoded strictly into the types of Kubernetes, its probes, ports and variables are those of
// the program, and the image is unpacked and run. It is a module of its own, so that the
// product knows none of the libraries that it takes.
package test
