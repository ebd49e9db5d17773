/// Finds, reads and merges the kubeconfig files, by kubectl's rules.
///
/// Source: client-go `tools/clientcmd/loader.go`. `--kubeconfig` names the only file, which must exist. Else the
/// files of `$KUBECONFIG` are merged, those that are missing skipped; else `~/.kube/config` is read, if it is
/// there. A missing configuration is an empty one, not an error: what to do then is for ``ClusterAccess``.
package struct KubeconfigLoader: Sendable {
    /// What `--kubeconfig` says.
    package var explicitFile: String?
    /// What `--kuberc` says.
    package var explicitKuberc: String?
    /// Whether to wait for the writer of a file that is a pipe.
    package var acceptsPipes = true
    /// `KUBECONFIG`, `HOME`, `KUBERNETES_MASTER`, `KUBERNETES_SERVICE_HOST`, `HTTPS_PROXY` and the like.
    package var environment: [String: String]
    /// Where a pod finds its service account; a test's own directory.
    package var inClusterDirectory = InClusterEnvironment.directory
    /// What relative paths on the command line and in the environment start from; absolute.
    package var currentDirectory: String

    package init(explicitFile: String? = nil, environment: [String: String], currentDirectory: String) {
        self.explicitFile = explicitFile
        self.environment = environment
        self.currentDirectory = currentDirectory
    }

    /// For reading once more, later: a pipe is an error then.
    package var again: KubeconfigLoader {
        var loader = self
        loader.acceptsPipes = false
        return loader
    }

    /// The files that would be read, in order of precedence.
    package var candidates: [String] {
        if let explicitFile, !explicitFile.isEmpty { return [absolute(explicitFile)] }
        if let list = environment["KUBECONFIG"], !list.isEmpty {
            var files: [String] = []
            for piece in list.split(separator: ":") {
                let file = absolute(String(piece))
                if !files.contains(file) { files.append(file) }
            }
            return files
        }
        guard let home = environment["HOME"], !home.isEmpty else { return [] }
        return [FilePath.resolve(".kube/config", in: absolute(home))]
    }

    /// Reads the files; when some cannot be read, all of them are named.
    package func load() throws(KubeconfigError) -> Kubeconfig {
        let isExplicit = explicitFile.map { !$0.isEmpty } ?? false
        var merged = Kubeconfig()
        var problems: [KubeconfigError] = []
        for file in candidates {
            do throws(KubeconfigError) {
                merged.merge(try Kubeconfig(parsing: try read(file), file: file))
            } catch .fileMissing(let path) {
                if isExplicit { throw .fileMissing(path: path) }
            } catch {
                problems.append(error)
            }
        }
        if let first = problems.first { throw problems.count == 1 ? first : .several(problems) }
        return merged
    }

    private func read(_ file: String) throws(KubeconfigError) -> [UInt8] {
        do throws(FileProblem) {
            return try BoundedFile.read(file, acceptsPipes: acceptsPipes)
        } catch {
            throw error.isMissing ? .fileMissing(path: error.path) : .fileUnreadable(error)
        }
    }

    func absolute(_ path: String) -> String {
        FilePath.resolve(path, in: currentDirectory)
    }
}
