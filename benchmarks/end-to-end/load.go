package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ffwd/child"
)

// loadMax is the longest that one run of the load generator may take.
const loadMax = 90 * time.Second

// loadReport is what Tests/Peers/client prints, as far as it is needed here.
type loadReport struct {
	Connections   int            `json:"connections"`
	Endings       map[string]int `json:"endings"`
	BytesSent     int64          `json:"bytesSent"`
	BytesReceived int64          `json:"bytesReceived"`
	MiBPerSecond  float64        `json:"mebibytesPerSecond"`
	Latencies     map[string]struct {
		P50 float64 `json:"p50Microseconds"`
		P99 float64 `json:"p99Microseconds"`
		Max float64 `json:"maxMicroseconds"`
	} `json:"latencies"`
	Errors []string `json:"errors"`
}

// check wants every connection complete: the client compares the bytes, so that is the proof.
func (r *loadReport) check() error {
	if r.Endings["complete"] == r.Connections && r.Connections > 0 {
		return nil
	}
	var parts []string
	for ending, count := range r.Endings {
		if count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, ending))
		}
	}
	first := ""
	if len(r.Errors) > 0 {
		first = ": " + r.Errors[0]
	}
	return fmt.Errorf("of %d connections: %s%s", r.Connections, strings.Join(parts, ", "), first)
}

func loadArguments(command string, port int, flags ...any) []string {
	arguments := []string{command, "--port", strconv.Itoa(port), "--timeout", loadMax.String()}
	for _, flag := range flags {
		arguments = append(arguments, fmt.Sprint(flag))
	}
	return arguments
}

// run loads a local port and returns when all connections were complete.
func (b *bench) run(command string, port int, flags ...any) (*loadReport, error) {
	report, err := b.try(loadMax, command, port, flags...)
	if err != nil {
		return nil, err
	}
	return report, report.check()
}

// try loads a local port for so long at most, and reports whatever came of it.
func (b *bench) try(most time.Duration, command string, port int, flags ...any) (*loadReport, error) {
	program := exec.Command(b.client, loadArguments(command, port, append(flags, "--timeout", most)...)...)
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := program.Output() // it ends itself
	if err != nil {
		return nil, fmt.Errorf("the load generator: %w", err)
	}
	return parseReport(output)
}

func parseReport(output []byte) (*loadReport, error) {
	report := &loadReport{}
	if err := json.Unmarshal(bytes.TrimSpace(output), report); err != nil {
		return nil, fmt.Errorf("the load generator's report: %w", err)
	}
	return report, nil
}

// report waits for a run of the load generator to end by itself, whatever came of it.
func (p *process) report() (*loadReport, error) {
	line, err := p.Line("{", loadMax)
	if err != nil {
		return nil, err
	}
	return parseReport([]byte("{" + line))
}

// held is a run of the load generator that keeps its connections open.
type held struct {
	*process
	stdin io.Closer
}

// hold opens connections and returns when as many as wanted are open at the same time and have carried a byte.
func (b *bench) hold(port, connections int) (*held, error) {
	command := exec.Command(b.client, loadArguments("hold", port, "--connections", connections)...)
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	client, err := child.Run(command)
	if err != nil {
		return nil, err
	}
	program := &held{&process{client}, stdin}
	text, err := program.Line("held ", loadMax+5*time.Second)
	if err == nil && text != strconv.Itoa(connections) {
		err = fmt.Errorf("%s of %d connections were carried", text, connections)
	}
	if err != nil {
		program.stdin.Close()
		program.end()
		return nil, err
	}
	return program, nil
}

// release lets each connection carry one more byte, closes them, and checks that all could.
func (h *held) release() error {
	h.stdin.Close()
	defer h.end()
	report, err := h.report()
	if err != nil {
		return err
	}
	return report.check()
}
