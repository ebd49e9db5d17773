package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"strings"
)

// plot is one picture: panels with a scale each, as their units have nothing in common.
type plot struct {
	name, title string
	panels      []figure
}

// plots are the pictures of a report.
func plots(held []string) []plot {
	list := []plot{
		{"throughput", "Throughput", append(append(transfers("rate", "MiB/s", 0, true, false)[:4], transfers("cpu", "s/GiB", 2, false, false)[:4]...),
			figure{experiment: "messages-64", value: "messages", title: "1 KiB there and back, 64 connections", unit: "thousands per s of CPU", decimals: 1, moreIsBetter: true})},
		{"latency", "Latency", []figure{
			{experiment: "echo-1", value: "p50", title: "echo of 1 B, median", unit: "µs"},
			{experiment: "echo-1", value: "p99", title: "echo of 1 B, 99th percentile", unit: "µs"},
			{experiment: "beside-1", value: "p50", title: "1 B beside a download, median", unit: "µs"},
			{experiment: "beside-1", value: "p99", title: "1 B beside a download, 99th percentile", unit: "µs"},
			{experiment: "far", value: "first", title: "first byte, 20 ms away", unit: "ms", decimals: 1},
			{experiment: "start", value: "start", title: "start to `Forwarding from`", unit: "ms"},
		}},
		{"memory", "Memory", []figure{
			{experiment: "idle", value: "resident", title: "idle", unit: "MiB", decimals: 1},
		}},
		{"connections", "Connections", []figure{
			{experiment: "connections-1", value: "cpu", title: "processor time each, one after another", unit: "µs"},
			{experiment: "connections-64", value: "cpu", title: "processor time each, 64 at a time", unit: "µs"},
			{experiment: "connections-1", value: "p50", title: "open, use, close, one after another", unit: "µs"},
			{experiment: "connections-64", value: "p50", title: "open, use, close, 64 at a time", unit: "µs"},
			{experiment: "apart-down-1", value: "through", title: "200 others beside 1 stalled download: carried", unit: "%", moreIsBetter: true},
			{experiment: "apart-up-1", value: "through", title: "200 others beside 1 stalled upload: carried", unit: "%", moreIsBetter: true},
		}},
	}
	for _, id := range held {
		count := strings.TrimPrefix(id, "held-")
		list[2].panels = append(list[2].panels,
			figure{experiment: id, value: "each", title: "for each of " + count + " connections", unit: "KiB", decimals: 2})
	}
	list[2].panels = append(list[2].panels,
		figure{experiment: "standing-clients", value: "peak", title: "peak, clients that do not read", unit: "MiB", decimals: 1},
		figure{experiment: "standing-pods", value: "peak", title: "peak, a pod that does not read", unit: "MiB", decimals: 1})
	return list
}

// The measures of a picture, in pixels.
const (
	panelWidth, panelGap = 440, 24
	barHeight, barStep   = 14, 20
	labelWidth           = 86
	valueWidth           = 96
	headHeight           = 30
)

// Colours that are told apart by those who see few; the first is ours.
var colours = []string{"#0072b2", "#999999", "#d55e00", "#009e73", "#cc79a7"}

// bar is one subject's line in a panel.
type bar struct {
	name, colour        string
	least, median, most float64
	failed              bool
}

func (r *results) bars(f figure) (bars []bar, most float64) {
	o, _ := r.find(f.experiment)
	for i, name := range r.names() {
		numbers, failed := o.of(name, f.value)
		b := bar{name: name, colour: colours[i%len(colours)], failed: len(failed) > 0}
		if len(numbers) > 0 {
			b.least, b.median, b.most = numbers[0], median(numbers), numbers[len(numbers)-1]
		} else if !b.failed {
			continue
		}
		most = math.Max(most, b.most)
		bars = append(bars, b)
	}
	return bars, most
}

// draw writes a picture as SVG; false: there is nothing of it in this run.
func (r *results) draw(out io.Writer, p plot) bool {
	type cell struct {
		figure
		bars []bar
		most float64
	}
	var cells []cell
	lines := 0
	for _, f := range p.panels {
		if bars, most := r.bars(f); most > 0 {
			cells = append(cells, cell{f, bars, most})
			lines = max(lines, len(bars))
		}
	}
	if len(cells) == 0 {
		return false
	}
	panelHeight := headHeight + lines*barStep + panelGap
	rows := (len(cells) + 1) / 2
	width, height := 2*panelWidth+3*panelGap, 2*headHeight+rows*panelHeight
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(out, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", html.EscapeString(p.title))
	text := func(x, y int, style, words string) {
		fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, style, html.EscapeString(words))
	}
	text(panelGap, headHeight-8, ` font-size="16" font-weight="bold"`, p.title)
	text(panelGap+130, headHeight-8, ` fill="#555"`, r.Machine.Processor+", "+r.Date[:10]+"; medians, and the least and the most of the rounds")
	for i, c := range cells {
		left, top := panelGap+i%2*(panelWidth+panelGap), headHeight+8+i/2*panelHeight
		sense := "less is better"
		if c.moreIsBetter {
			sense = "more is better"
		}
		text(left, top+16, ` font-weight="bold"`, c.title)
		text(left+panelWidth, top+16, ` fill="#555" text-anchor="end"`, c.unit+", "+sense)
		scale := float64(panelWidth-labelWidth-valueWidth) / c.most
		at := func(value float64) int { return left + labelWidth + int(math.Round(value*scale)) }
		for line, b := range c.bars {
			y := top + headHeight + line*barStep
			text(left+labelWidth-6, y+11, ` text-anchor="end"`, b.name)
			words := fmt.Sprintf("%.*f", c.decimals, b.median)
			if b.most == 0 && b.failed {
				words = "failed"
			}
			fmt.Fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", at(0), y, max(at(b.median)-at(0), 1), barHeight, b.colour)
			if b.least != b.most {
				fmt.Fprintf(out, "<path d=\"M%d %dH%dM%d %dv6M%d %dv6\" stroke=\"black\" fill=\"none\"/>\n",
					at(b.least), y+barHeight/2, at(b.most), at(b.least), y+4, at(b.most), y+4)
			}
			text(at(math.Max(b.median, b.most))+6, y+11, "", words)
		}
	}
	fmt.Fprintln(out, "</svg>")
	return true
}

// drawAll writes the pictures beside a report, whose path without its ending is base.
func (r *results) drawAll(base string) error {
	for _, p := range plots(r.held()) {
		var picture strings.Builder
		if !r.draw(&picture, p) {
			continue
		}
		if err := os.WriteFile(base+"-"+p.name+".svg", []byte(picture.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
