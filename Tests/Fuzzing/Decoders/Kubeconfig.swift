// Any text gives a kubeconfig or KubeconfigError, in bounded time, and an error's text cannot steer a terminal.

import FastForward

func kubeconfigViolation(by bytes: [UInt8]) -> String? {
    do throws(KubeconfigError) {
        let kubeconfig = try Kubeconfig(parsing: bytes, file: "/config")
        var merged = kubeconfig
        merged.merge(kubeconfig)
        return nil
    } catch {
        let isPlain = error.terminalText.unicodeScalars.allSatisfy {
            $0 == "\n" || $0.properties.generalCategory != .control
        }
        return isPlain ? nil : "control characters in \(error.terminalText.debugDescription)"
    }
}
