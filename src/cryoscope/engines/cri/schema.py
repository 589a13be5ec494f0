"""What of the Container Runtime Interface is spoken here, field by field: one line a field.

The numbers, names and types are those of kubernetes/cri-api, pkg/apis/runtime/v1/api.proto, because they are
the interface; fields and methods that Cryoscope does not use are left out, and are passed over on the wire.

    message NAME                a message, then its fields
      3 labels map              number, name, type
      1 items *PodSandbox       `*` repeated; `map` is a map of strings
    enum NAME A=0 B=1           an enumeration: its names and numbers
"""

TABLE = """
message VersionRequest
  1 version string
message VersionResponse
  1 version string
  2 runtime_name string
  3 runtime_version string
  4 runtime_api_version string

message StatusRequest
  1 verbose bool
message StatusResponse
  1 status RuntimeStatus
  2 info map
  3 runtime_handlers *RuntimeHandler
message RuntimeStatus
  1 conditions *RuntimeCondition
message RuntimeCondition
  1 type string
  2 status bool
  3 reason string
  4 message string
message RuntimeHandler
  1 name string
  2 features RuntimeHandlerFeatures
message RuntimeHandlerFeatures
  1 recursive_read_only_mounts bool
  2 user_namespaces bool

enum ContainerState CONTAINER_CREATED=0 CONTAINER_RUNNING=1 CONTAINER_EXITED=2 CONTAINER_UNKNOWN=3
message ContainerStateValue
  1 state ContainerState
message ContainerFilter
  1 id string
  2 state ContainerStateValue
  3 pod_sandbox_id string
  4 label_selector map
message ListContainersRequest
  1 filter ContainerFilter
message ListContainersResponse
  1 containers *Container
message Container
  1 id string
  2 pod_sandbox_id string
  3 metadata ContainerMetadata
  4 image ImageSpec
  5 image_ref string
  6 state ContainerState
  7 created_at int64
  8 labels map
  9 annotations map
  10 image_id string
message ContainerMetadata
  1 name string
  2 attempt uint32
message ImageSpec
  1 image string
  2 annotations map
  18 user_specified_image string
  19 runtime_handler string

message ContainerStatusRequest
  1 container_id string
  2 verbose bool
message ContainerStatusResponse
  1 status ContainerStatus
  2 info map
message ContainerStatus
  1 id string
  2 metadata ContainerMetadata
  3 state ContainerState
  4 created_at int64
  5 started_at int64
  6 finished_at int64
  7 exit_code int32
  8 image ImageSpec
  9 image_ref string
  10 reason string
  11 message string
  12 labels map
  13 annotations map
  14 mounts *Mount
  15 log_path string
  16 resources ContainerResources
  17 image_id string
enum MountPropagation
  PROPAGATION_PRIVATE=0 PROPAGATION_HOST_TO_CONTAINER=1 PROPAGATION_BIDIRECTIONAL=2
message Mount
  1 container_path string
  2 host_path string
  3 readonly bool
  4 selinux_relabel bool
  5 propagation MountPropagation
message ContainerResources
  1 linux LinuxContainerResources
message LinuxContainerResources
  1 cpu_period int64
  2 cpu_quota int64
  3 cpu_shares int64
  4 memory_limit_in_bytes int64
  5 oom_score_adj int64
  6 cpuset_cpus string
  7 cpuset_mems string
  9 unified map
  10 memory_swap_limit_in_bytes int64

enum PodSandboxState SANDBOX_READY=0 SANDBOX_NOTREADY=1
message ListPodSandboxRequest
  1 filter PodSandboxFilter
message PodSandboxStateValue
  1 state PodSandboxState
message PodSandboxFilter
  1 id string
  2 state PodSandboxStateValue
  3 label_selector map
message ListPodSandboxResponse
  1 items *PodSandbox
message PodSandbox
  1 id string
  2 metadata PodSandboxMetadata
  3 state PodSandboxState
  4 created_at int64
  5 labels map
  6 annotations map
  7 runtime_handler string
message PodSandboxMetadata
  1 name string
  2 uid string
  3 namespace string
  4 attempt uint32
message PodSandboxStatusRequest
  1 pod_sandbox_id string
  2 verbose bool
message PodSandboxStatusResponse
  1 status PodSandboxStatus
  2 info map
message PodSandboxStatus
  1 id string
  2 metadata PodSandboxMetadata
  3 state PodSandboxState
  4 created_at int64
  5 network PodSandboxNetworkStatus
  6 linux LinuxPodSandboxStatus
  7 labels map
  8 annotations map
  9 runtime_handler string
message PodSandboxNetworkStatus
  1 ip string
message LinuxPodSandboxStatus
  1 namespaces Namespace
message Namespace
  2 options NamespaceOption

enum NamespaceMode POD=0 CONTAINER=1 NODE=2 TARGET=3
message NamespaceOption
  1 network NamespaceMode
  2 pid NamespaceMode
  3 ipc NamespaceMode
  4 target_id string
  5 userns_options UserNamespace
message UserNamespace
  1 mode NamespaceMode
  2 uids *IDMapping
  3 gids *IDMapping
message IDMapping
  1 host_id uint32
  2 container_id uint32
  3 length uint32

message RunPodSandboxRequest
  1 config PodSandboxConfig
  2 runtime_handler string
message RunPodSandboxResponse
  1 pod_sandbox_id string
message PodSandboxConfig
  1 metadata PodSandboxMetadata
  2 hostname string
  3 log_directory string
  4 dns_config DNSConfig
  6 labels map
  7 annotations map
  8 linux LinuxPodSandboxConfig
message DNSConfig
  1 servers *string
  2 searches *string
  3 options *string
message LinuxPodSandboxConfig
  1 cgroup_parent string
  2 security_context LinuxSandboxSecurityContext
message LinuxSandboxSecurityContext
  1 namespace_options NamespaceOption
  6 privileged bool
  9 seccomp SecurityProfile
enum ProfileType RuntimeDefault=0 Unconfined=1 Localhost=2
message SecurityProfile
  1 profile_type ProfileType
  2 localhost_ref string
message StopPodSandboxRequest
  1 pod_sandbox_id string
message StopPodSandboxResponse
message RemovePodSandboxRequest
  1 pod_sandbox_id string
message RemovePodSandboxResponse

message CreateContainerRequest
  1 pod_sandbox_id string
  2 config ContainerConfig
  3 sandbox_config PodSandboxConfig
message CreateContainerResponse
  1 container_id string
message ContainerConfig
  1 metadata ContainerMetadata
  2 image ImageSpec
  3 command *string
  4 args *string
  5 working_dir string
  6 envs *KeyValue
  7 mounts *Mount
  9 labels map
  10 annotations map
  11 log_path string
  12 stdin bool
  13 stdin_once bool
  14 tty bool
  15 linux LinuxContainerConfig
message KeyValue
  1 key string
  2 value string
message LinuxContainerConfig
  1 resources LinuxContainerResources
  2 security_context LinuxContainerSecurityContext
message LinuxContainerSecurityContext
  2 privileged bool
  3 namespace_options NamespaceOption
  11 no_new_privs bool
  15 seccomp SecurityProfile
message StartContainerRequest
  1 container_id string
message StartContainerResponse
message StopContainerRequest
  1 container_id string
  2 timeout int64
message StopContainerResponse
message RemoveContainerRequest
  1 container_id string
message RemoveContainerResponse
message CheckpointContainerRequest
  1 container_id string
  2 location string
  3 timeout int64
message CheckpointContainerResponse
message ExecSyncRequest
  1 container_id string
  2 cmd *string
  3 timeout int64
message ExecSyncResponse
  1 stdout bytes
  2 stderr bytes
  3 exit_code int32

message ImageStatusRequest
  1 image ImageSpec
  2 verbose bool
message ImageStatusResponse
  1 image Image
  2 info map
message Image
  1 id string
  2 repo_tags *string
  3 repo_digests *string
  4 size uint64
message PullImageRequest
  1 image ImageSpec
  3 sandbox_config PodSandboxConfig
message PullImageResponse
  1 image_ref string
"""

SERVICES = {
    "ImageService": ("ImageStatus", "PullImage"),
    "RuntimeService": (
        "CheckpointContainer",
        "ContainerStatus",
        "CreateContainer",
        "ExecSync",
        "ListContainers",
        "ListPodSandbox",
        "PodSandboxStatus",
        "RemoveContainer",
        "RemovePodSandbox",
        "RunPodSandbox",
        "StartContainer",
        "Status",
        "StopContainer",
        "StopPodSandbox",
        "Version",
    ),
}
"""The methods by service; each takes a message of its name and `Request`, and answers `Response`."""

METHODS = {
    method: f"/runtime.v1.{service}/{method}" for service, names in SERVICES.items() for method in names
}
"""The path of each method in gRPC."""
