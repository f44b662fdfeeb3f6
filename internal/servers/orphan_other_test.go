//go:build !linux

package servers_test

func beParent() { panic("only Linux ends what is left of a program") }
