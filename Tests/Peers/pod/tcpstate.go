package main

import (
	"syscall"
	"unsafe"
)

// States of a connection as Linux numbers them; stateUnknown is none of them.
const (
	stateUnknown   = 0
	tcpEstablished = 1
)

// tcpState asks the kernel for the first byte of TCP_INFO, which is the connection's state.
func tcpState(descriptor uintptr) int {
	var state byte
	length := uint32(unsafe.Sizeof(state))
	_, _, fault := syscall.Syscall6(syscall.SYS_GETSOCKOPT, descriptor, syscall.IPPROTO_TCP, syscall.TCP_INFO,
		uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&length)), 0)
	if fault != 0 {
		return stateUnknown
	}
	return int(state)
}
