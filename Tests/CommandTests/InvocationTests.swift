import Testing

@testable import ffwd

@Suite struct `Being called by a name` {
    @Test(arguments: [
        ("ffwd", "ffwd", false),
        ("/usr/local/bin/ffwd", "ffwd", false),
        ("/opt/my tools/ffwd", "ffwd", false),
        ("kubectl-ffwd", "kubectl ffwd", false),
        ("/root/.krew/bin/kubectl-ffwd", "kubectl ffwd", false),
        ("./kubectl-port_forward-fast", "kubectl port-forward fast", false),
        ("/usr/bin/kubectl_complete-ffwd", "kubectl ffwd", true),
        // Only the file's own name counts.
        ("/opt/kubectl-tools/ffwd", "ffwd", false),
        ("", "ffwd", false),
    ])
    func `the program's file name says which command it is`(program: String, command: String, completes: Bool)
    {
        let invocation = Invocation(program: program)
        #expect(invocation.command == command)
        #expect(invocation.completesForKubectl == completes)
    }
}
